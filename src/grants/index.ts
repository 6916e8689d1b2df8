import type { Grant } from '../core/grant.ts'
import { jwtBearer } from './jwt-bearer.ts'
import { tokenExchange } from './token-exchange.ts'

/** The built-in grants. */
export const grants: readonly Grant[] = [tokenExchange, jwtBearer]
