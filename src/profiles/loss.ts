import type { Loss } from '../core/codec.ts'
import type { Place } from '../core/place.ts'
import type { Profile } from '../core/profile.ts'
import type { ProfileDocument } from './document.ts'
import { pathText } from './problem.ts'

/** What may become of one claim of a subject token, whatever the token. */
export interface Fate {
  readonly claim: string
  readonly becomes: 'kept' | 'renamed' | 'narrowed' | 'replaced' | 'hashed' | 'converted' | 'dropped' | 'lost' | 'added'
  /** Not in each exchange: of a stage with `when`, of a claim that not every token has, of a value of some kind. */
  readonly sometimes: boolean
  readonly because: string
  readonly place?: Place | undefined
}

/** Every claim that the profile does not name. */
export const OTHERS = 'any other claim'

/** What stays unless a stage says otherwise. */
const CARRIED = ['sub', 'act', 'auth_time', 'acr', 'amr'] as const

/**
 * What a profile can lose, read from the profile alone: claim by claim, in the order of its stages, and then by what its
 * format cannot carry (`losses`, as its codec tells of a draft that has one of each kind).
 *
 * Does NOT look into expressions, nor into stages of one's own: of those it says that it does not know.
 */
export function lossesOf(document: ProfileDocument, profile: Profile, losses: readonly Loss[]): readonly Fate[] {
  const fates = new Map<string, Fate>()
  const place = (path: string) => profile.origin?.place(path)
  const put = (claim: string, becomes: Fate['becomes'], because: string, more: Partial<Fate> = {}) =>
    void fates.set(claim, { claim, becomes, because, sometimes: false, ...more })

  for (const claim of CARRIED) put(claim, 'kept', 'carried unless a stage says otherwise')
  put('iss', 'replaced', 'the gateway speaks in its own name')
  put('jti', 'replaced', 'each token has an identifier of its own')
  put('aud', 'replaced', 'it is what was asked for')
  put(
    'exp',
    'narrowed',
    `the earliest of the inputs, the signing key and max_lifetime (${profile.maxLifetime} seconds)`,
  )
  put('nbf', 'kept', 'the latest of the inputs')
  put('scope', 'dropped', 'nothing is granted that was not asked for', { sometimes: true })
  put('cnf', 'kept', 'a bound token stays bound')
  put(OTHERS, 'dropped', 'no stage keeps it', { place: place('stages') })
  for (const [index, item] of document.stages.entries()) {
    for (const [stage, options] of Object.entries(item)) {
      const path = ['stages', index, stage]
      const at = (...below: string[]): Partial<Fate> => ({
        place: place(pathText([...path, ...below])),
        sometimes: item['when'] !== undefined,
      })
      const read = READERS[stage]
      if (read) read(options as never, put, at, fates)
      else if (stage !== 'when' && !WRITING.has(stage))
        put(OTHERS, 'dropped', `unless ${stage}, a stage of your own, keeps it`, at())
    }
  }
  const format = document.stages.findIndex((item) => 'format' in item)
  const at = place(`stages[${format}].format`)
  const free = [...fates.values()].some(({ claim, becomes }) => becomes !== 'dropped' && !SETTLED.has(claim))
  for (const { claim, became, reason } of losses) {
    const name = KINDS.get(claim) ?? claim
    const known = fates.get(name)
    if (KINDS.has(claim) && free) put(name, became, reason, { place: at, sometimes: true })
    else if (known && known.becomes !== 'dropped') put(name, became, reason, { place: at })
  }
  return [...fates.values()]
}

/** Claims whose values are of a known kind; of any other one cannot know. */
const SETTLED: ReadonlySet<string> = new Set([...CARRIED, 'iss', 'jti', 'aud', 'exp', 'nbf', 'scope', 'cnf'])

const WRITING: ReadonlySet<string> = new Set(['format', 'crypto'])

/** Names in the probe of a codec for a kind of value, and what they stand for. */
export const PROBES = { bytes: 'probe_bytes', fraction: 'probe_fraction', null: 'probe_null' } as const
const KINDS: ReadonlyMap<string, string> = new Map([
  [PROBES.bytes, 'a claim with bytes'],
  [PROBES.fraction, 'a claim with a fraction'],
  [PROBES.null, 'a claim that is null'],
])

type Put = (claim: string, becomes: Fate['becomes'], because: string, more?: Partial<Fate>) => void
type At = (...below: string[]) => Partial<Fate>
type Reader = (options: Options, put: Put, at: At, fates: ReadonlyMap<string, Fate>) => void

/** Options of the built-in stages, as far as they say what becomes of a claim. */
interface Options {
  readonly keep?: '*' | readonly string[]
  readonly drop?: readonly string[]
  readonly rename?: { readonly [from: string]: string }
  readonly copy?: { readonly [claim: string]: string }
  readonly set?: { readonly [claim: string]: unknown }
  readonly types?: { readonly [claim: string]: string }
  readonly claims?: { readonly [claim: string]: unknown } | readonly string[]
  readonly pairwise?: unknown
  readonly actor?: unknown
  readonly act?: { readonly from?: string }
  readonly unwrap?: { readonly use?: string; readonly claim?: string }
  readonly danger_drop_act?: true
  readonly danger_drop_confirmation?: true
  readonly danger_outlive_subject?: true
  readonly danger_start_earlier?: true
  readonly lifetime?: number
  readonly not_before?: string
  readonly scope?: { readonly allow?: readonly string[]; readonly map?: object; readonly strict?: boolean }
  readonly rebind?: string
}

const READERS: { readonly [stage: string]: Reader | undefined } = {
  context({ keep, drop = [], rename = {}, copy = {}, set = {}, types = {} }, put, at) {
    if (keep === '*') put(OTHERS, 'kept', 'context.keep takes all but reserved ones', at('keep'))
    else for (const claim of keep ?? []) put(claim, 'kept', 'context.keep names it', at('keep'))
    for (const claim of drop) put(claim, 'dropped', 'context.drop names it', at('drop'))
    for (const [from, to] of Object.entries(rename)) put(from, 'renamed', `to ${to}`, at('rename', from))
    for (const [claim, path] of Object.entries(copy))
      put(claim, 'replaced', `by ${path}, where that is`, at('copy', claim))
    for (const claim of Object.keys(set)) put(claim, 'replaced', 'by a value of the profile', at('set', claim))
    for (const [claim, type] of Object.entries(types))
      put(claim, 'converted', `to ${type}; refused where that would lose something`, at('types', claim))
  },
  subject({ pairwise, actor, ...others }, put, at) {
    if (pairwise !== undefined) put('sub', 'hashed', 'a pseudonym takes its place', at('pairwise'))
    else if (Object.keys(others).length > 0) put('sub', 'replaced', 'the subject stage makes another', at())
    if (actor !== undefined) put('act', 'kept', 'under a newer actor', at('actor'))
  },
  embedding({ unwrap, danger_drop_act: dropped, act, ...others }, put, at) {
    if (unwrap !== undefined && (unwrap.use ?? 'subject') === 'subject') {
      for (const claim of ['sub', 'auth_time', 'acr', 'amr'])
        put(claim, 'replaced', `by that of the token in ${unwrap.claim}`, at('unwrap'))
    }
    if (dropped) put('act', 'dropped', 'danger_drop_act', at('danger_drop_act'))
    if (act?.from !== undefined && act.from !== 'keep') put('act', 'kept', 'under a newer actor', at('act'))
    if ('token' in others) put('the subject token', 'added', 'it is carried inside, or its digest', at('token'))
  },
  validity({ lifetime, danger_outlive_subject: outlive, not_before, danger_start_earlier: earlier, scope }, put, at) {
    if (outlive) put('exp', 'replaced', 'danger_outlive_subject', at('danger_outlive_subject'))
    else if (lifetime !== undefined) put('exp', 'narrowed', `at most ${lifetime} seconds from now`, at('lifetime'))
    if (not_before === 'now') put('nbf', earlier ? 'replaced' : 'narrowed', 'now, or later', at('not_before'))
    if (scope === undefined) return
    const allowed = scope.allow === undefined ? 'what the token has' : scope.allow.join(' ')
    const rest = scope.strict ? 'anything else refuses' : 'the rest is left out as long as something can be granted'
    put('scope', 'narrowed', `of what was asked for only ${allowed}; ${rest}`, at('scope'))
  },
  sender_constraint({ danger_drop_confirmation: dropped, rebind }, put, at) {
    if (dropped)
      put(
        'cnf',
        'dropped',
        'danger_drop_confirmation: what comes out is a bearer token',
        at('danger_drop_confirmation'),
      )
    if (rebind !== undefined) put('cnf', 'replaced', `by the key of the ${rebind}`, at('rebind'))
  },
  encoding({ claims }, put, at) {
    if (claims === undefined || Array.isArray(claims)) return
    for (const claim of Object.keys(claims))
      put(claim, 'converted', 'another encoding of the same bytes', at('claims', claim))
  },
}
