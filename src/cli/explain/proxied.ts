import type { AuditRecord } from '../../core/audit.ts'
import type { Services } from '../../core/exchange.ts'
import type { Explanation } from '../../explain/types.ts'
import type { ForwardAuth } from '../../gateway/forward-auth.ts'
import { verdictOf } from '../../gateway/verdict.ts'

const PREFIX = 'forward-auth/'

/** The explanation with what a proxy was told, where the exchange was one that a proxy asked for. */
export function toldToProxy(explanation: Explanation, record: AuditRecord | undefined): Explanation {
  if (record?.endpoint?.startsWith(PREFIX) !== true) return explanation
  const { refusal, notes } = explanation
  if (refusal === undefined) return { ...explanation, notes: [...notes, `asked by a proxy, at ${record.endpoint}`] }
  const { status, error, description } = verdictOf(refusal.code)
  return {
    ...explanation,
    refusal: { ...refusal, error, description },
    notes: [...notes, `asked by a proxy, at ${record.endpoint}: it hears ${status} of this`],
  }
}

/**
 * The form of a request that a proxy asked for: what its endpoint adds, where the form does not say it. What the proxy said
 * of the request before it is in no record, and is missing.
 */
export function asProxy(
  form: URLSearchParams,
  record: AuditRecord | undefined,
  endpoints: readonly ForwardAuth[],
  profiles: Services['profiles'],
): { readonly form: URLSearchParams; readonly client?: string; readonly notes: readonly string[] } {
  const endpoint = endpoints.find(({ name }) => record?.endpoint === `${PREFIX}${name}`)
  if (endpoint === undefined) return { form, notes: [] }
  const full = new URLSearchParams(form)
  const add = (name: string, values: readonly string[]) => {
    if (!form.has(name)) for (const value of values) full.append(name, value)
  }
  if (!form.has('audience') && !form.has('resource')) {
    add('audience', endpoint.audience)
    add('resource', endpoint.resource)
  }
  add('scope', endpoint.scope === undefined ? [] : [endpoint.scope.join(' ')])
  const type = profiles.all.find(({ name }) => name === endpoint.profile)?.writer.tokenType
  add('requested_token_type', type === undefined ? [] : [type])
  return {
    form: full,
    client: endpoint.client,
    notes: [
      'what the proxy said of the request before it is in no record: `request.forwarded` is missing here, and what reads it refuses',
    ],
  }
}
