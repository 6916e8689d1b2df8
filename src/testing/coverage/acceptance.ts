import type { AcceptanceOptions } from '../../core/acceptance.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Path } from '../../profiles/problem.ts'
import type { Stand } from '../stand.ts'
import type { Observation, Rule } from './coverage.ts'

/** The rules of `accept`, `must_keep` and `max_lifetime`. */
export function acceptanceRules({ document, profile, services, test }: Stand): readonly Rule[] {
  const { clients = [], subject, actor, targets } = document.accept
  return [
    ...clients.map((id, index) => rule(['accept', 'clients', index], 'asks and is given', issuedWith({ client: id }))),
    ...subject.issuers.map((name, index) =>
      rule(
        ['accept', 'subject', 'issuers', index],
        'has its token taken',
        issuedWith({ subject_issuer: name === 'self' ? services.issuer : name }),
      ),
    ),
    ...checksOf('subject', subject),
    ...(actor === undefined ? [] : checksOf('actor', actor)),
    ...(targets.allow ?? []).map((target, index) => {
      const audience = typeof target === 'string' ? target : target.audience
      return rule(
        ['accept', 'targets', 'allow', index],
        'asked for and given',
        ({ record }) => record.result === 'issued' && record.audience?.includes(audience) === true,
      )
    }),
    ...(targets.default === undefined
      ? []
      : [
          rule(
            ['accept', 'targets', 'default'],
            'taken for a request without target',
            ({ ask, record }) => record.result === 'issued' && ask.audience.length + ask.resource.length === 0,
          ),
        ]),
    ...profile.mustKeep.map((claim, index) =>
      rule(
        ['must_keep', index],
        'there to be kept',
        ({ record }) => record.result === 'issued' && record.ledger?.some((entry) => entry.claim === claim) === true,
      ),
    ),
    ...(document.max_lifetime === undefined
      ? []
      : [
          rule(
            ['max_lifetime'],
            'what ends a token',
            ({ record }) => record.expires_at === test.clock + profile.maxLifetime,
          ),
        ]),
  ]
}

export const rule = (path: Path, says: string, shows: Rule['shows']): Rule => ({ path, says, shows })

const issuedWith =
  (wanted: { readonly client?: string; readonly subject_issuer?: string }) =>
  ({ record }: Observation): boolean =>
    record.result === 'issued' &&
    (wanted.client === undefined || record.client === wanted.client) &&
    (wanted.subject_issuer === undefined || record.subject_issuer === wanted.subject_issuer)

/** Options of a role that refuse, and the code by which it shows. */
const CHECKS: readonly (readonly [keyof AcceptanceOptions, ErrorCode])[] = [
  ['kind', 'ERR_TOKEN_KIND'],
  ['audience', 'ERR_TOKEN_AUDIENCE'],
  ['max_age', 'ERR_TOKEN_TOO_OLD'],
  ['max_lifetime', 'ERR_TOKEN_LIFETIME'],
  ['for_client', 'ERR_TOKEN_CLIENT'],
  ['authentication', 'ERR_TOKEN_AUTHENTICATION'],
  ['single_use', 'ERR_TOKEN_REPLAYED'],
  ['algorithms', 'ERR_TOKEN_ALGORITHM'],
  ['extended_key_usage', 'ERR_TOKEN_KIND'],
]

function checksOf(role: 'subject' | 'actor', options: AcceptanceOptions): readonly Rule[] {
  const base = ['accept', role]
  const step = `verify ${role}`
  const refusedBy =
    (code: ErrorCode, claim?: string) =>
    ({ record }: Observation) => {
      const last = record.trace.at(-1)
      // A use is counted last, whichever token it is of.
      const here = last?.step === step || code === 'ERR_TOKEN_REPLAYED'
      return record.code === code && here && (claim === undefined || last?.detail?.['claim'] === claim)
    }
  return [
    ...CHECKS.filter(([name]) => options[name] !== undefined && options[name] !== 'any' && options[name] !== false).map(
      ([name, code]) => rule([...base, name], `seen to refuse (${code})`, refusedBy(code)),
    ),
    ...(options.require ?? []).map((claim, index) =>
      rule(
        [...base, 'require', index],
        'missed in a token',
        // Nothing goes without a subject, whether it is asked for or not.
        claim === 'sub' ? refusedBy('ERR_TOKEN_SUBJECT') : refusedBy('ERR_PROFILE_REQUIRED', claim),
      ),
    ),
  ]
}
