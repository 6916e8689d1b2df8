import type { Metrics } from './metrics.ts'
import type { Answer } from './reply.ts'
import type { GatewayTenant } from './tenant.ts'

/** Paths of the whole process. Whoever runs it reads them; a listener can leave them out. */
export const OPERATIONS = ['/livez', '/readyz', '/metrics', '/version'] as const

export type Operation = (typeof OPERATIONS)[number]

/** What each of them answers. `/readyz` names what is missing, and no tenant. */
export function operations(
  tenants: readonly GatewayTenant[],
  metrics: Metrics,
  version: string,
): { readonly [path in Operation]: () => Answer | Promise<Answer> } {
  return {
    '/livez': () => json(200, { live: true }),
    '/readyz': () => {
      const missing = lacking(tenants)
      const ready = missing.length === 0
      return json(ready ? 200 : 503, { ready, missing })
    },
    '/metrics': async () => answer(200, metrics.contentType, await metrics.text()),
    '/version': () => json(200, { name: 'dragoman', version }),
  }
}

/** What keeps exchanges from being answered. An issuer that cannot be reached is not among it: others can. */
function lacking(tenants: readonly GatewayTenant[]): readonly ('keys' | 'audit')[] {
  const keys = tenants.every(({ services }) =>
    services.profiles.all.every(({ key }) => services.keys.signer(key) !== undefined),
  )
  const audit = tenants.every(({ services }) => services.audit.healthy?.() !== false)
  return [...(keys ? [] : (['keys'] as const)), ...(audit ? [] : (['audit'] as const))]
}

const answer = (status: number, type: string, body: string): Answer => ({
  status,
  headers: { 'content-type': type, 'cache-control': 'no-store' },
  body,
})

const json = (status: number, content: object): Answer => answer(status, 'application/json', JSON.stringify(content))
