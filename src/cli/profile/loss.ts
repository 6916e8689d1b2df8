import type { Alone } from '../../config/alone.ts'
import type { Codec } from '../../core/codec.ts'
import { placeText } from '../../core/place.ts'
import { type Fate, lossesOf, OTHERS } from '../../profiles/loss.ts'
import { exit, type Io } from '../io.ts'
import { formatLosses } from './probe.ts'

/** What becomes of each claim under a profile, by its stages and its format. */
export function fatesOf({ profile, document, keys }: Alone, codec: Codec, now: number): readonly Fate[] {
  const signer = keys.signer(profile.key)
  const staged = lossesOf(document, profile, [])
  const names = staged
    .filter(({ claim, becomes }) => becomes !== 'dropped' && claim !== OTHERS && !APART.has(claim))
    .map(({ claim, becomes, because }) => (becomes === 'renamed' ? because.replace(/^to /, '') : claim))
    .filter((name) => !name.includes(' '))
  if (signer === undefined) return staged
  return lossesOf(document, profile, formatLosses(profile, codec, names, signer, now))
}

/** What a draft holds beside its claims. */
const APART: ReadonlySet<string> = new Set(['iss', 'jti', 'aud', 'exp', 'nbf', 'iat', 'scope', 'cnf'])

/** `dragoman profile loss`: what a profile can lose, and where that is decided. */
export function showLoss(alone: Alone, codec: Codec, json: boolean, now: number, io: Io): number {
  const { profile } = alone
  const fates = fatesOf(alone, codec, now)
  if (json) {
    const { name, accepts, rendering, mustKeep } = profile
    const { format: to, kind } = rendering
    io.out(
      `${JSON.stringify({ profile: name, from: accepts.subject.format, to, kind, must_keep: mustKeep, claims: fates })}\n`,
    )
    return exit.done
  }
  const lines = ORDER.flatMap(([becomes, title]) => {
    const of = fates.filter((fate) => fate.becomes === becomes)
    return of.length === 0 ? [] : [`  ${title}`, ...of.map(line)]
  })
  const { rendering, accepts, mustKeep } = profile
  const head = `${profile.name}: from ${accepts.subject.format} to ${[rendering.format, rendering.kind].filter(Boolean).join(', ')}`
  const kept = mustKeep.length === 0 ? [] : [`  refused, rather than lost (must_keep): ${mustKeep.join(', ')}`]
  io.out(`${[head, ...lines, ...kept].join('\n')}\n`)
  return exit.done
}

const ORDER: readonly (readonly [Fate['becomes'], string])[] = [
  ['lost', 'lost: the format cannot carry it'],
  ['dropped', 'dropped'],
  ['replaced', 'replaced by another value'],
  ['hashed', 'replaced by a hash'],
  ['converted', 'converted'],
  ['narrowed', 'narrowed'],
  ['renamed', 'renamed'],
  ['kept', 'kept'],
  ['added', 'added'],
]

const line = ({ claim, because, sometimes, place }: Fate): string =>
  `    ${claim}: ${because}${sometimes ? ' (not always)' : ''}${place ? `, ${placeText(place)}` : ''}`
