import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { codecs } from '../../codecs/index.ts'
import { dangers } from '../../core/profile.ts'
import { demandsOf } from '../../expressions/facts.ts'
import type { Path } from '../../profiles/problem.ts'
import { membersOf, type ReadProfile } from '../reading.ts'
import { placesOf, type Taken, takenBy } from '../roles.ts'
import { longestLife } from '../rules/life.ts'
import type { Fact } from './fact.ts'
import { type DefaultsSchema, withoutDefaults } from './plain.ts'

/**
 * What a profile says, but who may ask for which target. Every option is in some fact: what has no words of its own is in
 * one that tells that it is otherwise, so that no change is overlooked.
 */
export function profileFacts(one: ReadProfile, issuer: string): readonly Fact[] {
  const { profile, document } = one
  return [
    ...takenBy(one).flatMap((taken) => acceptanceFacts(taken, issuer)),
    ...[...profile.dangers.keys()].map((danger): Fact => {
      const words = Object.hasOwn(dangers, danger) ? ` (${dangers[danger as keyof typeof dangers]})` : ''
      const [path = []] = placesOf(document, (name) => name === danger)
      return { key: danger, path, kind: 'gives', has: `${danger} was set${words}`, gone: `${danger} was taken out` }
    }),
    {
      key: 'life',
      path: lifePath(one),
      kind: 'most',
      value: longestLife(one),
      unit: ' s',
      says: (now, before) => `tokens may now live ${now}, were ${before}`,
    },
    ...(document.must_keep ?? []).map(
      (claim, at): Fact => ({
        key: `must_keep ${claim}`,
        path: ['must_keep', at],
        kind: 'takes',
        has: `a token that would lose claim ${claim} is now refused`,
        gone: `a token can now be had that lost claim ${claim}`,
      }),
    ),
    {
      key: 'audit',
      path: ['audit'],
      kind: 'writes',
      what: 'the subject in the audit record',
      value: profile.auditSubject,
    },
    ...stageFacts(one),
  ]
}

function acceptanceFacts({ role, accepts, options, path }: Taken, issuer: string): readonly Fact[] {
  const token = `${role} token`
  const article = role === 'actor' ? 'an' : 'a'
  const audience = accepts.audience.map((value) =>
    value === issuer ? 'this gateway' : value === `${issuer}/token` ? 'its token endpoint' : value,
  )
  const choice = (
    name: string,
    values: readonly string[] | undefined,
    has: (values: string) => string,
    gone: (values: string) => string,
    all: string,
  ): Fact => ({ key: `${role} ${name}`, path: [...path, name], kind: 'choice', values, has, gone, all })
  const takes = (name: string, on: boolean, has: string, gone: string): readonly Fact[] =>
    on ? [{ key: `${role} ${name}`, path: [...path, name], kind: 'takes', has, gone }] : []
  return [
    choice(
      'types',
      accepts.types,
      (values) => `${article} ${token} may now be presented as ${values}`,
      (values) => `${article} ${token} may no longer be presented as ${values}`,
      'any type',
    ),
    {
      ...{ key: `${role} kind`, path: [...path, 'kind'], kind: 'is' },
      what: `the kind of the ${token}`,
      value: accepts.kind ?? 'the plain one',
    },
    choice(
      'audience',
      audience.length === 0 ? undefined : audience,
      (values) => `${article} ${token} may now be for ${values}`,
      (values) => `${article} ${token} may no longer be for ${values}`,
      'anybody',
    ),
    choice(
      'algorithms',
      accepts.algorithms,
      (values) => `${article} ${token} may now be signed with ${values}`,
      (values) => `${article} ${token} may no longer be signed with ${values}`,
      'any algorithm of its issuer',
    ),
    {
      ...{ key: `${role} age`, path: [...path, 'max_age'], kind: 'most', value: accepts.maxAge, unit: ' s' },
      says: (now, before) => `the age of ${article} ${token} may now be ${now}, was ${before}`,
    },
    {
      ...{ key: `${role} acr`, path: [...path, 'authentication', 'acr_values'], kind: 'choice' },
      values: accepts.authentication?.acrValues,
      has: (values) => `the user of ${article} ${token} may now have authenticated by ${values}`,
      gone: (values) => `the user of ${article} ${token} may no longer have authenticated by ${values}`,
      all: 'any means',
    },
    {
      ...{ key: `${role} auth_time`, path: [...path, 'authentication', 'max_age'], kind: 'most', unit: ' s' },
      value: accepts.authentication?.maxAge,
      says: (now, before) =>
        `the time since the user of ${article} ${token} authenticated may now be ${now}, was ${before}`,
    },
    {
      ...{ key: `${role} skew`, path: [...path, 'clock_skew'], kind: 'most', value: accepts.clockSkew, unit: ' s' },
      says: (now, before) => `clocks may now differ by ${now} for ${article} ${token}, were ${before}`,
    },
    ...accepts.require.map(
      (claim, at): Fact => ({
        key: `${role} require ${claim}`,
        path: [...path, 'require', at],
        kind: 'takes',
        has: `${article} ${token} must now have claim ${claim}`,
        gone: `${article} ${token} need no longer have claim ${claim}`,
      }),
    ),
    ...(accepts.extendedKeyUsage ?? []).map(
      (usage, at): Fact => ({
        key: `${role} usage ${usage}`,
        path: [...path, 'extended_key_usage', at],
        kind: 'takes',
        has: `a certificate must now be for ${options.extended_key_usage?.[at] ?? usage}`,
        gone: `a certificate need no longer be for ${options.extended_key_usage?.[at] ?? usage}`,
      }),
    ),
    ...takes(
      'single_use',
      accepts.singleUse,
      `${article} ${token} can now be used once only`,
      `${article} ${token} can now be used any number of times`,
    ),
    ...takes(
      'presented_by',
      accepts.presentedBy === 'holder',
      `a bound ${token} is now taken with a proof by its key only`,
      `a bound ${token} is now taken from its audience, without a proof by its key`,
    ),
    {
      ...{ key: `${role} subject_from`, path: [...path, 'subject_from'], kind: 'is' },
      what: 'the name in the certificate that is the subject',
      value: accepts.subjectFrom ?? 'the usual one',
    },
  ]
}

function lifePath({ entries }: ReadProfile): Path {
  const entry = entries.find(({ options }) => membersOf(options)['lifetime'] !== undefined)
  return entry === undefined ? ['max_lifetime'] : [...entry.path, 'lifetime']
}

function stageFacts(one: ReadProfile): readonly Fact[] {
  const facts: Fact[] = []
  const seen = new Map<string, number>()
  for (const { stage, options: written, when, path } of one.entries) {
    const options = withoutDefaults(written, schemaOf(stage, one))
    const gate: Gate = {
      key: when === undefined ? '' : `when ${words(when)}: `,
      says: when === undefined ? '' : ` when ${words(when)}`,
    }
    if (when !== undefined) facts.push(...conditionalDangers(options, path, gate))
    const described = STAGES[stage.name]?.(membersOf(options), path, gate, one) ?? { facts: [], rest: options }
    facts.push(...described.facts)
    const rest = canonical(described.rest)
    if (rest === '{}' || rest === undefined) continue
    const key = `${gate.key}${stage.name} rest`
    const count = (seen.get(key) ?? 0) + 1
    seen.set(key, count)
    const what = `\`${stage.name}\`${gate.says}`
    const kind = stage.phase === 'writing' ? 'writes' : 'is'
    facts.push({ key: `${key} ${count}`, path, kind, what, value: rest })
  }
  const order = one.entries.map(({ stage }) => stage.name).filter((name, at, all) => name !== all[at - 1])
  if (order.length > 0) {
    facts.push({
      ...{ key: `order of ${[...order].sort().join(' ')}`, path: ['stages'], kind: 'is' },
      // Stages that came or went are told by what they do; the same ones in another order as that.
      ...{ what: 'the order of the stages', value: order.join(', '), paired: true },
    })
  }
  // Without a word of scope it is whatever was asked for and the subject token has.
  if (!facts.some(({ key }) => key === 'scope')) facts.push(...scopeFacts({}, ['stages'], { key: '', says: '' }))
  return facts
}

/** Of `encoding` the options are those of the format. */
const schemaOf = (
  { name, schema }: ReadProfile['entries'][number]['stage'],
  { profile }: ReadProfile,
): DefaultsSchema =>
  name === 'encoding'
    ? { properties: codecs().find(({ format }) => format === profile.rendering.format)?.encodings ?? {} }
    : schema

const conditionalDangers = (options: unknown, path: Path, gate: Gate): readonly Fact[] =>
  placesOf(options, (name, value) => value === true && name.startsWith('danger_')).map((place): Fact => {
    const name = String(place.at(-1))
    return {
      ...{ key: `${gate.key}${name}`, path: [...path, ...place], kind: 'takes' },
      has: `${name} now counts only${gate.says}`,
      gone: `${name} no longer counts only${gate.says}`,
    }
  })

interface Gate {
  readonly key: string
  readonly says: string
}

interface Described {
  readonly facts: readonly Fact[]
  readonly rest: unknown
}

type Members = { readonly [name: string]: unknown }

const STAGES: {
  readonly [stage: string]: ((options: Members, path: Path, gate: Gate, one: ReadProfile) => Described) | undefined
} = {
  subject: subjectFacts,
  context: contextFacts,
  validity: validityFacts,
  embedding: embeddingFacts,
  sender_constraint: senderFacts,
  format: formatFacts,
  crypto: cryptoFacts,
}

function subjectFacts({ actor, ...make }: Members, path: Path, gate: Gate, one: ReadProfile): Described {
  const { lookup } = make
  const table = tableOf(membersOf(lookup)['file'], one)
  const way = Object.keys(make)[0]
  return {
    facts: [
      ...(way === undefined
        ? []
        : [
            {
              ...{ key: `${gate.key}subject`, path: [...path, way], kind: 'is' as const },
              ...{ what: `the subject${gate.says}`, value: canonical(make) ?? '', shown: shownMaker(way, make[way]) },
            },
          ]),
      ...table.map(
        ([issuer, subject, to]): Fact => ({
          ...{ key: `${gate.key}row ${issuer} ${subject} ${to}`, path: [...path, 'lookup'], kind: 'gives' },
          has: `subject ${subject} of ${issuer} is now known, as ${to}`,
          gone: `subject ${subject} of ${issuer} is no longer known as ${to}`,
        }),
      ),
      ...(actor === undefined ? [] : [actFact(String(actor), [...path, 'actor'], gate)]),
    ],
    rest: {},
  }
}

const shownMaker = (way: string, value: unknown): string =>
  typeof value === 'string' ? `made by ${way} ${JSON.stringify(value)}` : `made by ${way} ${canonical(value) ?? ''}`

function tableOf(file: unknown, { source }: ReadProfile): readonly (readonly [string, string, string])[] {
  if (typeof file !== 'string') return []
  const table: unknown = JSON.parse(readFileSync(resolve(dirname(source.file), file), 'utf8'))
  return Object.entries(membersOf(table)).flatMap(([issuer, rows]) =>
    Object.entries(membersOf(rows)).map(([subject, to]) => [issuer, subject, String(to)] as const),
  )
}

const actFact = (from: string, path: Path, gate: Gate): Fact => ({
  ...{ key: `${gate.key}act`, path, kind: 'is' },
  ...{ what: `who acts${gate.says}`, value: from === 'actor_token' ? 'the party of the actor token' : `the ${from}` },
})

function contextFacts(options: Members, path: Path, gate: Gate): Described {
  const { require, conditions, keep, drop, rename, copy, set, types } = options
  const claims = (name: string, value: unknown, words: (claim: string, how: string) => string): readonly Fact[] =>
    Object.entries(membersOf(value)).map(([claim, how]) => ({
      ...{ key: `${gate.key}${name} ${claim}`, path: [...path, name, claim], kind: 'is' },
      what: `claim ${words(claim, '')}${gate.says}`,
      value: `${words('', canonical(how) ?? '').trim()}`,
    }))
  const each = <T>(value: unknown, work: (item: T, at: number) => Fact): readonly Fact[] =>
    (Array.isArray(value) ? (value as readonly T[]) : []).map(work)
  return {
    facts: [
      ...each<unknown>(require, (item, at) => {
        const claim =
          typeof item === 'string' ? item : `${membersOf(item)['claim']} (${membersOf(item)['type'] ?? 'any'})`
        return {
          ...{ key: `${gate.key}require ${claim}`, path: [...path, 'require', at], kind: 'takes' },
          has: `a subject token must now have claim ${claim}${gate.says}`,
          gone: `a subject token need no longer have claim ${claim}${gate.says}`,
        }
      }),
      ...conditionFacts(conditions, path, gate),
      ...(keep === undefined
        ? []
        : [
            {
              ...{ key: `${gate.key}keep`, path: [...path, 'keep'], kind: 'choice' as const },
              values: Array.isArray(keep) ? keep.map(String) : undefined,
              has: (values: string) => `claim ${values} now goes along${gate.says}`,
              gone: (values: string) => `claim ${values} no longer goes along${gate.says}`,
              all: 'of any name',
            },
          ]),
      ...each<string>(drop, (claim, at) => ({
        ...{ key: `${gate.key}drop ${claim}`, path: [...path, 'drop', at], kind: 'takes' },
        has: `claim ${claim} is now left out${gate.says}`,
        gone: `claim ${claim} is no longer left out${gate.says}`,
      })),
      ...claims('rename', rename, (claim, to) => `${claim}${to === '' ? '' : `called ${to}`}`),
      ...claims('copy', copy, (claim, from) => `${claim}${from === '' ? '' : `a copy of ${from}`}`),
      ...claims('set', set, (claim, value) => `${claim}${value}`),
      ...claims('types', types, (claim, type) => `${claim}${type === '' ? '' : `converted to ${type}`}`),
    ],
    rest: {},
  }
}

/** Each part that must hold by itself: two in one expression are no other than two expressions. */
const conditionFacts = (conditions: unknown, path: Path, gate: Gate): readonly Fact[] =>
  (Array.isArray(conditions) ? (conditions as readonly unknown[]) : []).flatMap((item, at) => {
    const source = typeof item === 'string' ? item : String(membersOf(item)['expression'])
    const demands = demandsOf(source)
    return demands.map((ways): Fact => {
      const asked = ways.join(' || ')
      return {
        ...{ key: `${gate.key}condition ${asked}`, path: [...path, 'conditions', at], kind: 'demand' },
        ...{ group: gate.key, ways, text: demands.length === 1 ? words(source) : asked, when: gate.says },
      }
    })
  })

function validityFacts(options: Members, path: Path, gate: Gate): Described {
  const { lifetime, audience, max_audiences: most, scope, ...rest } = options
  const { allow, default: fallback, map: table, strict } = membersOf(scope)
  const facts: Fact[] = []
  if (membersOf(audience)['from'] === 'subject') {
    facts.push({
      ...{ key: `${gate.key}audience`, path: [...path, 'audience'], kind: 'takes' },
      has: `a target must now be in the audience of the subject token${gate.says}`,
      gone: `a target need no longer be in the audience of the subject token${gate.says}`,
    })
  }
  if (typeof most === 'number') {
    facts.push({
      ...{ key: `${gate.key}targets`, path: [...path, 'max_audiences'], kind: 'most', value: most, unit: '' },
      says: (now, before) => `targets at a time may now be ${now}, were ${before}${gate.says}`,
    })
  }
  if (scope !== undefined) facts.push(...scopeFacts({ allow, fallback, table, strict }, [...path, 'scope'], gate))
  const conditional = gate.key !== '' && lifetime !== undefined ? { lifetime } : {}
  const { danger_outlive_subject: _, danger_start_earlier: __, ...more } = rest
  return { facts, rest: { ...without(more, { not_before: 'keep' }), ...conditional } }
}

function scopeFacts(
  { allow, fallback, table, strict }: { readonly [name: string]: unknown },
  path: Path,
  gate: Gate,
): readonly Fact[] {
  const listed = Array.isArray(allow) ? allow.map(String) : undefined
  return [
    {
      ...{ key: `${gate.key}scope`, path: [...path, 'allow'], kind: 'choice', values: listed },
      has: (values) => `scope ${values} can be granted${gate.says}`,
      gone: (values) => `scope ${values} can no longer be granted${gate.says}`,
      all: 'of any name that the subject token has',
    },
    // A token without any scope has what `allow` lists.
    ...(listed ?? []).map(
      (scope, at): Fact => ({
        ...{ key: `${gate.key}unscoped ${scope}`, path: [...path, 'allow', at], kind: 'gives' },
        has: `scope ${scope} can be granted to a subject token without any scope${gate.says}`,
        gone: `scope ${scope} can no longer be granted to a subject token without any scope${gate.says}`,
      }),
    ),
    {
      ...{ key: `${gate.key}default scope`, path: [...path, 'default'], kind: 'choice' },
      values: fallback === 'subject' ? undefined : Array.isArray(fallback) ? fallback.map(String) : [],
      has: (values) => `scope ${values} is granted without being asked for${gate.says}`,
      gone: (values) => `scope ${values} is no longer granted without being asked for${gate.says}`,
      all: 'of any name that may be granted',
    },
    ...Object.entries(membersOf(table)).map(
      ([from, to]): Fact => ({
        ...{ key: `${gate.key}scope map ${from}`, path: [...path, 'map', from], kind: 'is' },
        ...{ what: `what scope ${from} stands for${gate.says}`, value: [to].flat().map(String).sort().join(' ') },
      }),
    ),
    ...(strict === true
      ? [
          {
            ...{ key: `${gate.key}strict`, path: [...path, 'strict'], kind: 'takes' as const },
            has: `a request for more scope than can be granted is now refused${gate.says}`,
            gone: `a request for more scope than can be granted is no longer refused, but cut${gate.says}`,
          },
        ]
      : []),
  ]
}

function embeddingFacts(options: Members, path: Path, gate: Gate): Described {
  const { unwrap, act, token, danger_drop_act: _ } = options
  const from = membersOf(act)['from']
  const { danger_embed_bearer: __, ...plain } = without(membersOf(token), { place: 'claim' })
  return {
    facts: [
      ...(from === undefined || from === 'keep' ? [] : [actFact(String(from), [...path, 'act'], gate)]),
      ...(token === undefined
        ? []
        : [
            {
              ...{ key: `${gate.key}token`, path: [...path, 'token'], kind: 'is' as const },
              ...{ what: `what is carried inside${gate.says}`, value: canonical(plain) ?? '' },
            },
          ]),
      ...(unwrap === undefined
        ? []
        : [
            {
              ...{ key: `${gate.key}unwrap`, path: [...path, 'unwrap'], kind: 'is' as const },
              ...{
                what: `the token that is taken out of the subject token${gate.says}`,
                value: canonical(unwrap) ?? '',
              },
            },
          ]),
    ],
    rest: {},
  }
}

function senderFacts(options: Members, path: Path, gate: Gate): Described {
  const { require, mode, rebind, method } = options
  const facts: Fact[] = []
  if (require === true) {
    facts.push({
      ...{ key: `${gate.key}bound`, path: [...path, 'require'], kind: 'takes' },
      has: `a token that is bound to no key can no longer be had${gate.says}`,
      gone: `a token that is bound to no key can be had${gate.says}`,
    })
  }
  if (mode === 'bind') {
    facts.push({
      ...{ key: `${gate.key}binds`, path: [...path, 'mode'], kind: 'takes' },
      has: `a token is now bound to the key that was proved${gate.says}`,
      gone: `a token is no longer bound to the key that was proved${gate.says}`,
    })
  }
  if (rebind !== undefined) {
    facts.push({
      ...{ key: `${gate.key}rebind`, path: [...path, 'rebind'], kind: 'is' },
      ...{ what: `whose key the token is bound to${gate.says}`, value: `that of the ${rebind}` },
    })
  }
  // Without a word of it, every method counts; the order is the order of preference.
  if (Array.isArray(method)) {
    facts.push({
      ...{ key: `${gate.key}method`, path: [...path, 'method'], kind: 'is' },
      ...{ what: `which proofs bind the token${gate.says}`, value: method.join(', ') },
    })
  }
  return { facts, rest: {} }
}

function formatFacts({ to, kind, ...rest }: Members, path: Path): Described {
  const value = `${to}${kind === undefined ? '' : ` (${kind})`}`
  return { facts: [{ key: 'format', path: [...path, 'to'], kind: 'is', what: 'the format', value }], rest }
}

function cryptoFacts({ algorithm: _, key: __, ...rest }: Members, path: Path, ___: Gate, one: ReadProfile): Described {
  const { key, rendering } = one.profile
  return {
    facts: [
      {
        key: 'key',
        path: [...path, 'key'],
        kind: 'writes',
        what: 'the signing key',
        value: `${key} (${rendering.algorithm})`,
      },
    ],
    rest,
  }
}

/** White space in an expression means nothing, outside of texts. */
const words = (expression: string): string =>
  expression
    .split(/("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/)
    .map((part, at) => (at % 2 === 1 ? part : part.replace(/\s+/g, ' ')))
    .join('')
    .trim()

const without = (options: Members, defaults: Members): Members =>
  Object.fromEntries(Object.entries(options).filter(([name, value]) => defaults[name] !== value))

/** JSON with members in the order of their names. */
export function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)))
      : member,
  )
}
