import { DragomanError } from '../../src/core/errors.ts'
import type { ExchangeResult, TokenRequest } from '../../src/core/exchange.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../src/core/types.ts'
import { createHttp, type HttpOptions } from '../../src/gateway/gateway.ts'
import type { GatewayTenant } from '../../src/gateway/tenant.ts'
import { profile, world } from './fakes.ts'

/** The answer of an exchange that is not what the test is about. */
export const RESULT: ExchangeResult = {
  access_token: 'e.y.J',
  issued_token_type: tokenTypes.accessToken,
  token_type: 'Bearer',
  expires_in: 240,
  scope: undefined,
  cnf: undefined,
  ledger: [],
}

/** Parameters that pass, as a form; `undefined` leaves one out, a list repeats it. */
export function form(differs: { readonly [name: string]: string | readonly string[] | undefined } = {}): string {
  const usual = {
    grant_type: TOKEN_EXCHANGE,
    subject_token: 'token',
    subject_token_type: tokenTypes.jwt,
    client_id: 'orders',
    client_secret: 'sredro',
  }
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...usual, ...differs })) {
    for (const one of typeof value === 'string' ? [value] : (value ?? [])) parameters.append(name, one)
  }
  return parameters.toString()
}

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** A gateway for one tenant whose exchange does what the test says; what reached it, and what was refused before. */
export async function http(
  exchange: (request: TokenRequest) => ExchangeResult | Promise<ExchangeResult> = () => RESULT,
  {
    tenant = {},
    ...options
  }: Partial<Omit<HttpOptions, 'exchange' | 'recordRefusal'>> & { tenant?: Partial<GatewayTenant> } = {},
) {
  const asked: TokenRequest[] = []
  const refused: { id: string; code: string }[] = []
  const app = await createHttp([{ services: world(profile()).services, ...tenant }], {
    version: '1.2.3',
    ...options,
    exchange: async (request) => {
      asked.push(request)
      return exchange(request)
    },
    recordRefusal: ({ id }, error) => refused.push({ id, code: error instanceof DragomanError ? error.code : 'none' }),
  })
  const post = (payload: string | Buffer = form(), headers: { readonly [name: string]: string | string[] } = {}) =>
    app.inject({ method: 'POST', url: '/token', payload, headers: { ...FORM, ...headers } })
  return { app, asked, refused, post }
}
