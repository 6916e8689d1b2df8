import { codecs } from '../../codecs/index.ts'
import { map } from '../../core/value.ts'
import { compileExpression } from '../../expressions/cel.ts'
import { demandsOf, expressionFacts } from '../../expressions/facts.ts'
import { type Asked, contradiction } from '../conditions.ts'
import type { Hit, LintRule } from '../finding.ts'
import { membersOf, type Reading, type ReadProfile, type ReadTenant } from '../reading.ts'
import { entriesNamed, expressionsIn, profilesIn, takenBy, type Written } from '../roles.ts'

/** Rules about what can never be, and so protects nothing or serves nobody. */
export const deadRules: readonly LintRule[] = [
  {
    id: 'LINT-503',
    name: 'never-true',
    finds: 'An expression is false whatever comes.',
    why: 'As a condition it refuses every exchange; as `when` it passes its stage over each time, with all that the stage protects.',
    cure: 'Write what is meant, or take it out.',
    look: (reading) =>
      expressionHits(reading, ({ text, as }) => {
        const { constant, never } = expressionFacts(text)
        return as !== 'value' && (never || (constant && constantOf(text) === false)) ? 'is never true' : undefined
      }),
  },
  {
    id: 'LINT-504',
    name: 'contradiction',
    finds: 'An expression cannot be true together with another, or with what the profile takes at all.',
    why: 'Each looks as if it protected something; together they let nothing pass, or the stage behind `when` never runs.',
    cure: 'Take one of the two out, or join them with `||`.',
    look: (reading) => profilesIn(reading).flatMap(contradictionsIn),
  },
  {
    id: 'LINT-505',
    name: 'always-true',
    finds: 'An expression, or a part that must hold, is true whatever comes.',
    why: 'It reads like a check and is none.',
    cure: 'Write what is meant, or take it out.',
    look: (reading) =>
      expressionHits(reading, ({ text, as }) => (as !== 'value' && holdsAnyway(text) ? 'is always true' : undefined)),
  },
  {
    id: 'LINT-506',
    name: 'impossible-claim',
    finds: 'A claim is asked for that a token of this format cannot have.',
    why: 'What depends on it never happens, or refuses every token.',
    cure: 'Name a claim that the format has; the reference of the expressions lists them.',
    look: (reading) => profilesIn(reading).flatMap(impossibleIn),
  },
  {
    id: 'LINT-507',
    name: 'unreachable-target',
    finds: 'A target stands in the profile that no request can reach.',
    why: 'It looks as if it were served; and nobody will notice when it is served by accident one day.',
    cure: 'Take it out; or allow as many audiences as `default` names, in a format that has room for them.',
    look: (reading) => profilesIn(reading).flatMap(unreachableIn),
  },
  {
    id: 'LINT-508',
    name: 'idle-client',
    finds: 'A client is configured that no profile names.',
    why: 'Its credentials can be stolen and guessed all the same, and the next profile may name it by mistake.',
    cure: 'Name it in a profile, or take it out.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap(({ entry, base, profiles }) =>
            (entry?.clients ?? []).flatMap(({ client_id: id }, index) =>
              profiles.some(({ profile }) => profile.accepts.clients.includes(id))
                ? []
                : [{ source, path: [...base, 'clients', index, 'client_id'], says: 'no profile names this client' }],
            ),
          ),
  },
  {
    id: 'LINT-509',
    name: 'idle-issuer',
    finds: 'An issuer is trusted that no profile takes tokens of.',
    why: 'Its keys are trusted for nothing; the next profile may take its tokens by mistake.',
    cure: 'Name it in a profile, or take it out.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap(({ entry, base, profiles }) => {
            const used = new Set(profiles.flatMap(({ document }) => issuersNamed(document)))
            return (entry?.issuers ?? []).flatMap(({ issuer }, index) =>
              used.has(issuer)
                ? []
                : [{ source, path: [...base, 'issuers', index, 'issuer'], says: 'no profile takes its tokens' }],
            )
          }),
  },
  {
    id: 'LINT-510',
    name: 'dead-scope',
    finds: 'Scope is granted by default, or mapped to, that `allow` does not list.',
    why: 'It can never be granted, though it reads as if it were.',
    cure: 'Add it to `allow`, or take it out.',
    look: (reading) =>
      profilesIn(reading).flatMap((one) =>
        entriesNamed(one, 'validity').flatMap(({ options, path }) =>
          deadScopes(options['scope'], one, [...path, 'scope']),
        ),
      ),
  },
  {
    id: 'LINT-511',
    name: 'unknown-kind',
    finds: 'Tokens of a kind are taken that their format does not have.',
    why: 'No token can be of it, so that every one is refused.',
    cure: `Name one of the kinds of the format.`,
    look: (reading) =>
      profilesIn(reading).flatMap((one) =>
        takenBy(one).flatMap(({ accepts: { format, kind }, path }): readonly Hit[] => {
          const kinds = codecs().find((codec) => codec.format === format)?.kinds ?? []
          // A JWT may be of any media type.
          if (kind === undefined || format === 'jwt' || kinds.length === 0 || kinds.includes(kind)) return []
          return [{ source: one.source, path: [...path, 'kind'], says: `${format} has ${kinds.join(', ')}` }]
        }),
      ),
  },
]

/** A part that always holds asks for nothing, and one way that is always open makes all of the others idle. */
function holdsAnyway(text: string): boolean {
  const { constant, never } = expressionFacts(text)
  return constant ? isTrue(text) : !never && demandsOf(text).some((ways) => ways.some(isTrue))
}

const isTrue = (text: string): boolean => expressionFacts(text).constant && constantOf(text) === true

const expressionHits = (reading: Reading, fault: (written: Written) => string | undefined): readonly Hit[] =>
  profilesIn(reading).flatMap((one) =>
    expressionsIn(one).flatMap((written): readonly Hit[] => {
      const says = fault(written)
      return says === undefined ? [] : [{ source: one.source, path: written.path, says }]
    }),
  )

/** Of an expression that reads nothing; `undefined`: it fails. */
function constantOf(text: string): unknown {
  const none = map()
  try {
    return compileExpression(text).evaluate({
      claims: none,
      subject: none,
      actor: none,
      client: none,
      request: none,
      proof: none,
      now: 0,
    })
  } catch {
    return undefined
  }
}

function contradictionsIn(one: ReadProfile): readonly Hit[] {
  const given = givenBy(one)
  const expressions = expressionsIn(one)
  const entries = new Map(one.entries.map(({ path, when }) => [Number(path[1]), when]))
  const asked = ({ text, index, as }: Written): readonly Asked[] =>
    expressionFacts(text)
      // What the draft says changes from stage to stage.
      .atoms.map((atom) => (atom.path.startsWith('claims.') ? { ...atom, path: `${index} ${atom.path}` } : atom))
      .map((atom) => ({ ...atom, by: as === 'when' ? '`when`' : 'a condition' }))
  const always = expressions.filter(({ as, index }) => as === 'condition' && entries.get(index) === undefined)
  const hits: Hit[] = []
  let together: readonly Asked[] = given
  for (const written of always) {
    const next = [...together, ...asked(written)]
    const found = contradiction(next)
    if (found === undefined) together = next
    else hits.push(hitOf(one, written, found))
  }
  for (const written of expressions) {
    if (written.as === 'value' || always.includes(written)) continue
    const behind = written.as === 'condition' ? entries.get(written.index) : undefined
    const and = behind === undefined ? [] : asked({ ...written, text: behind, as: 'when' })
    if (contradiction([...together, ...and]) !== undefined) continue
    const found = contradiction([...together, ...and, ...asked(written)])
    if (found !== undefined) hits.push(hitOf(one, written, found))
  }
  hits.push(...unservedIn(one, expressions))
  return hits
}

const hitOf = (one: ReadProfile, { path }: Written, { atom, other }: { atom: Asked; other: Asked }): Hit => ({
  source: one.source,
  path,
  character: atom.position,
  says: `\`${atom.path.replace(/^\d+ /, '')}\` cannot be so: ${other.by} says otherwise`,
})

/** What a profile lets through in any case. */
function givenBy(one: ReadProfile): readonly Asked[] {
  const { accepts } = one.profile
  const list = (path: string, values: readonly string[], by: string): Asked => ({
    path,
    asks: { is: 'one of', values },
    position: 0,
    by,
  })
  return [
    ...(accepts.subjectTokenAuthenticates ? [] : [list('client.id', accepts.clients, '`accept.clients`')]),
    ...takenBy(one).flatMap(({ role, accepts: { issuers, format, kind } }) => [
      list(`${role}.iss`, issuers, `\`accept.${role}.issuers\``),
      list(`${role}.format`, [format], `\`accept.${role}.format\``),
      ...(kind === undefined ? [] : [list(`${role}.kind`, [kind], `\`accept.${role}.kind\``)]),
    ]),
  ]
}

/** Conditions for a target that may not be asked for. */
function unservedIn(one: ReadProfile, expressions: readonly Written[]): readonly Hit[] {
  const { allowed, open } = one.profile.accepts.targets
  if (open) return []
  return expressions.flatMap((written) =>
    written.as === 'value'
      ? []
      : expressionFacts(written.text).atoms.flatMap(({ path, asks, position }): readonly Hit[] => {
          if (!/^request\.(?:audience|resource)$/.test(path) || asks.is !== 'holds' || allowed.has(asks.text)) return []
          const says = `\`${path}\` cannot be so: \`accept.targets\` does not allow it`
          return [{ source: one.source, path: written.path, character: position, says }]
        }),
  )
}

/** What we know of each token, whatever it says itself. */
const KNOWN: ReadonlySet<string> = new Set(['sub', 'x509', 'iss', 'exp', 'nbf', 'id', 'format', 'kind', 'trust_domain'])

function impossibleIn(one: ReadProfile & { readonly tenant: ReadTenant }): readonly Hit[] {
  const bare = one.tenant.entry?.x509?.claims_extension === false
  const hits: Hit[] = []
  for (const { role, options, accepts, path } of takenBy(one)) {
    const fault = (claim: string): string | undefined => {
      if (accepts.format !== 'x509')
        return claim === 'x509' ? `${accepts.format} is no certificate, and has no \`x509\`` : undefined
      if (claim === 'iat') return 'a certificate does not say when it was issued'
      return bare && !KNOWN.has(claim) ? `a certificate has no \`${claim}\`: claims_extension is off` : undefined
    }
    for (const [at, claim] of (options.require ?? []).entries()) {
      const says = fault(claim)
      if (says !== undefined) hits.push({ source: one.source, path: [...path, 'require', at], says })
    }
    if (accepts.format === 'x509' && accepts.maxAge === undefined && options.audience !== undefined && bare) {
      hits.push({ source: one.source, path: [...path, 'audience'], says: 'a certificate has no audience' })
    }
    for (const { text, path: place } of expressionsIn(one)) {
      for (const { path: read, position } of expressionFacts(text).reads) {
        const says = read[0] === role && read[1] !== undefined ? fault(read[1]) : undefined
        if (says !== undefined) hits.push({ source: one.source, path: place, character: position, says })
      }
    }
    for (const { options: context, path: place } of entriesNamed(one, 'context')) {
      for (const [claim, from] of Object.entries(membersOf(context['copy']))) {
        const [, of, name = ''] = /^(\w+)\.(\w+)/.exec(String(from)) ?? []
        const says = of === role ? fault(name) : undefined
        if (says !== undefined) hits.push({ source: one.source, path: [...place, 'copy', claim], says })
      }
    }
  }
  return hits
}

function unreachableIn(one: ReadProfile): readonly Hit[] {
  const { accepts, writer } = one.profile
  const { allow = [], default: fallback = [] } = one.document.accept.targets
  const counts = entriesNamed(one, 'validity').flatMap(({ options: { max_audiences: most }, always }) =>
    always && typeof most === 'number' ? [most] : [],
  )
  const most = Math.min(writer.singleAudience ? 1 : Infinity, ...counts)
  const asked = new Set(fallback.map((target) => accepts.targets.allowed.get(target) ?? target))
  const hits: Hit[] = allow.flatMap((target, index): readonly Hit[] => {
    const request = typeof target === 'string' ? target : target.request
    const path = ['accept', 'targets', 'allow', index, ...(typeof target === 'string' ? [] : ['request'])]
    if (request.trim() === request && !/\p{Cc}/u.test(request)) return []
    return [{ source: one.source, path, says: 'begins or ends with a space, or has a control character' }]
  })
  if (asked.size > most) {
    const says = `${asked.size} audiences, and ${most} can be had: a request without target is always refused`
    hits.push({ source: one.source, path: ['accept', 'targets', 'default'], says })
  }
  return hits
}

function issuersNamed(document: unknown): readonly string[] {
  if (Array.isArray(document)) return document.flatMap(issuersNamed)
  return Object.entries(membersOf(document)).flatMap(([name, value]) =>
    name === 'issuers' && Array.isArray(value) ? value.map(String) : issuersNamed(value),
  )
}

function deadScopes(scope: unknown, one: ReadProfile, path: Hit['path']): readonly Hit[] {
  const { allow, default: fallback, map: table } = membersOf(scope)
  if (!Array.isArray(allow)) return []
  const allowed = new Set<unknown>(allow)
  const listed: readonly unknown[] = Array.isArray(fallback) ? fallback : []
  const fault = (name: unknown, place: Hit['path']): readonly Hit[] =>
    allowed.has(name) ? [] : [{ source: one.source, path: place, says: '`allow` does not list it' }]
  return [
    ...listed.flatMap((name, at) => fault(name, [...path, 'default', at])),
    ...Object.entries(membersOf(table)).flatMap(([from, to]) =>
      Array.isArray(to)
        ? to.flatMap((name: unknown, at) => fault(name, [...path, 'map', from, at]))
        : fault(to, [...path, 'map', from]),
    ),
  ]
}
