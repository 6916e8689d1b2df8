import { clientMethods } from './clients/index.ts'
import { codecs } from './codecs/index.ts'
import type { X509Options } from './codecs/x509/index.ts'
import type { TenantEntry } from './config/types.ts'
import type { Catalog } from './core/catalog.ts'
import { compileExpression } from './expressions/cel.ts'
import { grants } from './grants/index.ts'
import { type Nonces, proofMethodsWith } from './proofs/index.ts'
import { stages } from './stages/index.ts'

/**
 * Every built-in, by kind. A new one for each tenant: codecs and proofs remember keys and headers they have seen, and
 * tenants share nothing.
 */
export const builtin = ({ nonces, x509 }: { nonces?: Nonces | undefined; x509?: X509Options } = {}): Catalog => ({
  codecs: codecs(x509),
  stages,
  grants,
  clientMethods: clientMethods(),
  proofMethods: proofMethodsWith({ nonces }),
  expression: compileExpression,
})

/** The lists of `catalog` with those of `more` behind them. */
export const extended = (catalog: Catalog, more: Partial<Catalog>): Catalog => ({
  codecs: [...catalog.codecs, ...(more.codecs ?? [])],
  stages: [...catalog.stages, ...(more.stages ?? [])],
  grants: [...catalog.grants, ...(more.grants ?? [])],
  clientMethods: [...catalog.clientMethods, ...(more.clientMethods ?? [])],
  proofMethods: [...catalog.proofMethods, ...(more.proofMethods ?? [])],
  expression: more.expression ?? catalog.expression,
})

/** How a tenant reads certificates, as its configuration says. */
export const x509Options = ({ x509 = {} }: Pick<TenantEntry, 'x509'>): X509Options => ({
  ...(x509.claims_extension !== undefined && { claimsExtension: x509.claims_extension }),
  ...(x509.conforming !== undefined && { conforming: x509.conforming }),
})
