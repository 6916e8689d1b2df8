import type { IssuerEntry } from '../../trust/index.ts'
import type { Hit, LintRule } from '../finding.ts'
import type { Reading, ReadTenant } from '../reading.ts'
import { entriesNamed, profilesIn, takenBy } from '../roles.ts'

/** Rules about who is believed, and in what. */
export const trustRules: readonly LintRule[] = [
  {
    id: 'LINT-101',
    name: 'any-subject',
    finds: 'An issuer may speak of any subject.',
    why: 'Whoever holds a key of this issuer can be anybody: a subject of another issuer, an administrator, a workload of yours.',
    cure: 'List in `subjects` what the issuer may speak of: exact subjects, or a prefix such as `spiffe://domain.example/*`.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap((tenant) =>
            issuersOf(tenant).flatMap(({ entry: { subjects }, path }) => {
              const at = subjects.indexOf('*')
              return at === -1 ? [] : [{ source, path: [...path, 'subjects', at], says: 'this issuer may be anybody' }]
            }),
          ),
  },
  {
    id: 'LINT-102',
    name: 'foreign-subjects',
    finds: 'An issuer of one SPIFFE trust domain may speak of subjects in another.',
    why: 'A trust domain is the boundary of what its authority says. Beyond it, this issuer can impersonate workloads that are not its own.',
    cure: 'Keep `subjects` within the `trust_domain` of the issuer; give the other domain an issuer of its own.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap((tenant) =>
            issuersOf(tenant).flatMap(({ entry: { subjects, trust_domain: domain }, path }) =>
              subjects.flatMap((subject, at): readonly Hit[] => {
                const [, other] = /^spiffe:\/\/([^/]+)/.exec(subject) ?? []
                if (domain === undefined || other === undefined || other === domain) return []
                return [
                  { source, path: [...path, 'subjects', at], says: `in ${other}, and the issuer is of ${domain}` },
                ]
              }),
            ),
          ),
  },
  {
    id: 'LINT-103',
    name: 'shared-subjects',
    finds: 'Two issuers that have no trust domain in common may speak of the same subject.',
    why: 'To whoever reads the output both are the same person or workload, so that the weaker of the two issuers decides.',
    cure: 'Give each issuer a space of its own, or map one of them in a `subject` stage and say so here.',
    look: ({ source, tenants }) => (source === undefined ? [] : tenants.flatMap((tenant) => sharedIn(tenant, source))),
  },
  {
    id: 'LINT-104',
    name: 'no-conditions',
    finds: 'A profile takes every token of an issuer that may speak of any subject.',
    why: 'Neither the configuration nor the profile says whose tokens are meant: each new user of the issuer is admitted the moment he exists.',
    cure: 'Narrow `subjects` of the issuer; or add `context: { conditions: [...] }`, or a `subject: { lookup: ... }` without default.',
    look: noConditions,
  },
  {
    id: 'LINT-105',
    name: 'subject-authenticates',
    finds: 'A bearer token stands for the authentication of the client.',
    why: 'Whoever finds one token, in a log or at another service, can exchange it: there is no client to stop, and no key to prove.',
    cure: 'Name `clients`; or take tokens that are bound to a key only: certificates, or `sender_constraint: { require: true }`.',
    look: (reading) =>
      profilesIn(reading).flatMap((one): readonly Hit[] => {
        const { accept } = one.document
        const bound = entriesNamed(one, 'sender_constraint').some(({ options, always }) => options['require'] && always)
        if (accept.subject_token_authenticates !== true || accept.subject.format === 'x509' || bound) return []
        const says = 'whoever has a subject token is the client'
        return [{ source: one.source, path: ['accept', 'subject_token_authenticates'], says }]
      }),
  },
  {
    id: 'LINT-106',
    name: 'any-audience',
    finds: 'Tokens are taken that were issued for somebody else.',
    why: 'Each service that receives such a token can bring it here and get one for another service: the confused deputy.',
    cure: 'Have the issuer put this gateway into `aud`, or list in `audience` the services whose tokens are meant.',
    look: (reading) =>
      profilesIn(reading).flatMap((one) =>
        takenBy(one)
          .filter(({ options }) => options.audience === 'any' && options.format !== 'x509')
          .map(({ path, role }) => ({
            source: one.source,
            path: [...path, 'audience'],
            says: `a ${role} token for anybody is taken`,
          })),
      ),
  },
  {
    id: 'LINT-107',
    name: 'private-address',
    finds: 'Keys may be fetched from a private, loopback or link-local address.',
    why: 'Whoever answers for the name of the host decides what inside your network is asked, and whose keys are trusted.',
    cure: 'Serve the keys at a public address, or give them as a file; where neither can be, silence it with the reason.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap(({ entry, base }) =>
            (['issuers', 'clients'] as const).flatMap((list) =>
              (entry?.[list] ?? []).flatMap(({ fetch }, index) =>
                fetch?.allow_private_addresses === true
                  ? [
                      {
                        source,
                        path: [...base, list, index, 'fetch', 'allow_private_addresses'],
                        says: 'the host may be inside the network',
                      },
                    ]
                  : [],
              ),
            ),
          ),
  },
  {
    id: 'LINT-108',
    name: 'legacy-assertion',
    finds: 'Assertions of a client are taken that are for other servers too.',
    why: 'Another server that the client authenticates to can use its assertion here, as that client.',
    cure: 'Have the client send our issuer identifier as the only audience, and take `assertion_audience: legacy` out.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap(({ entry, base }) =>
            (entry?.clients ?? []).flatMap((client, index) =>
              client.assertion_audience === 'legacy'
                ? [
                    {
                      source,
                      path: [...base, 'clients', index, 'assertion_audience'],
                      says: 'an assertion for others is taken',
                    },
                  ]
                : [],
            ),
          ),
  },
]

const issuersOf = ({ entry, base }: ReadTenant) =>
  (entry?.issuers ?? []).map((issuer, index) => ({ entry: issuer, path: [...base, 'issuers', index] }))

function sharedIn(tenant: ReadTenant, source: NonNullable<Reading['source']>): readonly Hit[] {
  const all = issuersOf(tenant)
  return all.flatMap(({ entry, path }, index) =>
    entry.subjects.flatMap((subject, at): readonly Hit[] => {
      const other = all
        .slice(0, index)
        .find(({ entry: earlier }) => !sameDomain(entry, earlier) && shares(earlier, subject))
      if (other === undefined) return []
      return [{ source, path: [...path, 'subjects', at], says: `of these ${other.entry.issuer} may speak too` }]
    }),
  )
}

const sameDomain = (one: IssuerEntry, other: IssuerEntry): boolean =>
  one.trust_domain !== undefined && one.trust_domain === other.trust_domain

/** `*` is told by a rule of its own. */
const shares = ({ subjects }: IssuerEntry, subject: string): boolean =>
  subject !== '*' && subjects.some((own) => own !== '*' && (within(own, subject) || within(subject, own)))

const within = (space: string, subject: string): boolean =>
  space === subject || (space.endsWith('/*') && subject.startsWith(space.slice(0, -1)))

function noConditions(reading: Reading): readonly Hit[] {
  return profilesIn(reading).flatMap((one): readonly Hit[] => {
    const asked = entriesNamed(one, 'context').some(({ options, always }) => always && options['conditions'])
    const looked = entriesNamed(one, 'subject').some(({ options, always }) => {
      const { lookup } = options
      return always && lookup !== undefined && !Object.hasOwn(Object(lookup), 'default')
    })
    if (asked || looked) return []
    return takenBy(one)
      .filter(({ role }) => role === 'subject')
      .flatMap(({ accepts, path }) =>
        accepts.issuers.flatMap((name, at) => {
          const issuer = one.tenant.entry?.issuers?.find((trusted) => trusted.issuer === name)
          if (issuer?.subjects.includes('*') !== true) return []
          return [{ source: one.source, path: [...path, 'issuers', at], says: 'every token of this issuer is taken' }]
        }),
      )
  })
}
