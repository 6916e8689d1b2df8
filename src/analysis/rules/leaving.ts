import type { IssuerEntry } from '../../trust/index.ts'
import type { Hit, LintRule, Surroundings } from '../finding.ts'
import { membersOf, type Reading, type ReadProfile, type ReadTenant } from '../reading.ts'
import { entriesNamed, profilesIn, takenBy } from '../roles.ts'

/** Rules about what is told to another domain. */
export const leavingRules: readonly LintRule[] = [
  {
    id: 'LINT-601',
    name: 'keep-everything',
    finds: 'Every claim of a token of another issuer goes along.',
    why: 'What the issuer adds tomorrow goes to the target too: addresses, groups, names that nobody decided to tell.',
    cure: 'List the claims in `keep`.',
    look: (reading) =>
      profilesIn(reading).flatMap((one): readonly Hit[] => {
        if (one.profile.accepts.subject.issuers.every((issuer) => issuer === one.tenant.issuer)) return []
        return entriesNamed(one, 'context')
          .filter(({ options: { keep } }) => keep === '*')
          .map(({ path }) => ({
            source: one.source,
            path: [...path, 'keep'],
            says: 'whatever the issuer says is told to the target',
          }))
      }),
  },
  {
    id: 'LINT-602',
    name: 'internal-subject',
    finds: 'A subject of an internal trust domain goes to a target outside as it is.',
    why: 'It tells how the inside is built: namespaces, service accounts, names of workloads; and it is the name that an attacker needs next.',
    cure: 'Map it: `subject: { lookup: ... }`, `pairwise`, or a `template` that has nothing of it.',
    look: (reading, surroundings) =>
      leaving(reading, surroundings, 'subject', (one) => !replacesSubject(one), 'the subject goes out as it is'),
  },
  {
    id: 'LINT-603',
    name: 'internal-actor',
    finds: 'An actor of an internal trust domain is named to a target outside.',
    why: 'The call chain of the inside is told with each token, workload by workload.',
    cure: 'Take the actor from a token that names it as the outside knows it, or leave `act` to `client`.',
    look: (reading, surroundings) => [
      ...leaving(reading, surroundings, 'actor', namesActor, 'who acts is told as the inside calls it'),
      ...leaving(reading, surroundings, 'subject', carriesHistory, 'who acted is told as the inside calls it').filter(
        ({ issuer }) => issuer?.history === true,
      ),
    ],
  },
]

/**
 * Suffixes of names that exist inside a network only: RFC 6762, RFC 8375, RFC 2606, the root's `internal`, what
 * Kubernetes calls a cluster, and those that companies took for themselves (RFC 6762 appendix G).
 */
const INSIDE: readonly string[] = [
  'internal',
  'local',
  'localhost',
  'home.arpa',
  'test',
  'corp',
  'lan',
  'intranet',
  'private',
  'home',
]

/** `localhost`, `10.0.0.7`, and names without a dot, which no public name is. */
const PRIVATE = /^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[(?:::1|f[cd]))/

function isInside(host: string, { internal }: Surroundings): boolean {
  if (!host.includes('.') && !host.startsWith('[')) return true
  return PRIVATE.test(host) || [...INSIDE, ...internal].some((name) => host === name || host.endsWith(`.${name}`))
}

function leaving(
  reading: Reading,
  surroundings: Surroundings,
  role: 'subject' | 'actor',
  tells: (one: ReadProfile) => boolean,
  says: string,
): readonly (Hit & { readonly issuer: IssuerEntry | undefined })[] {
  return profilesIn(reading).flatMap((one) => {
    const outside = targetsOf(one).find((target) => {
      const host = hostOf(target)
      return host !== undefined && !isInside(host, surroundings)
    })
    if (outside === undefined || !tells(one)) return []
    return takenBy(one)
      .filter((taken) => taken.role === role)
      .flatMap(({ accepts, path }) =>
        accepts.issuers.flatMap((issuer, at) => {
          const inside = domainsOf(issuer, one.tenant).find((domain) => isInside(domain, surroundings))
          if (inside === undefined) return []
          const hit = {
            source: one.source,
            path: [...path, 'issuers', at],
            says: `${says}: from ${inside} to ${outside}`,
          }
          return [{ ...hit, issuer: one.tenant.entry?.issuers?.find((trusted) => trusted.issuer === issuer) }]
        }),
      )
  })
}

function targetsOf({ profile }: ReadProfile): readonly string[] {
  const { allowed, fallback, open } = profile.accepts.targets
  return [...allowed.values(), ...fallback, ...(open ? ['https://anywhere.example'] : [])]
}

const hostOf = (target: string): string | undefined => {
  const url = URL.parse(target)
  return url === null || url.host === '' ? undefined : url.hostname
}

/** The trust domain of an issuer, else the host of its URL. Our own tokens are not of the inside by their issuer. */
function domainsOf(issuer: string, { entry, issuer: own }: ReadTenant): readonly string[] {
  if (issuer === own) return []
  const trusted = entry?.issuers?.find((one) => one.issuer === issuer)
  if (trusted?.trust_domain !== undefined) return [trusted.trust_domain]
  const host = hostOf(issuer)
  return host === undefined ? [] : [host]
}

const MAKERS = ['fixed', 'template', 'spiffe', 'claim', 'cel', 'lookup', 'pairwise'] as const

/** The subject is another in every output, and nothing of the old one is put into it. */
const replacesSubject = (one: ReadProfile): boolean =>
  entriesNamed(one, 'subject').some(
    ({ options, always }) =>
      always &&
      MAKERS.some((maker) => options[maker] !== undefined) &&
      options['claim'] !== 'sub' &&
      !/\b(?:subject|claims)\.sub\b/.test(JSON.stringify([options['template'], options['spiffe'], options['cel']])),
  )

/** The history of the subject token goes along by itself. */
const carriesHistory = ({ profile }: ReadProfile): boolean => !profile.dangers.has('danger_drop_act')

const namesActor = (one: ReadProfile): boolean =>
  entriesNamed(one, 'subject').some(({ options }) => options['actor'] === 'actor_token') ||
  entriesNamed(one, 'embedding').some(({ options }) => membersOf(options['act'])['from'] === 'actor_token')
