import { DragomanError } from '../../core/errors.ts'
import type { Value } from '../../core/value.ts'
import { isBytes, isList, isMap } from '../../core/value.ts'
import type { CborLabel } from '../../wire/cbor.ts'

/** Claim keys whose meaning the neutral token holds apart from the claims (RFC 8392 §4, 8747 §7, 9200 §8.14); and `sub`. */
export const claimKey = { iss: 1, sub: 2, aud: 3, exp: 4, nbf: 5, iat: 6, cti: 7, cnf: 8, scope: 9 } as const

/** The JWT names of those claims, with their keys. Under a text key they would be a second, unchecked `iss` or `exp`. */
const OWN: ReadonlyMap<string, number> = new Map<string, number>([...Object.entries(claimKey), ['jti', claimKey.cti]])

/** RFC 9200 §5.10.3: seconds counted from when the token is received, so any exchange of it would start them afresh. */
const EXI = 40

interface Registered {
  readonly key: number
  readonly name: string
  readonly expected: string
  fits(value: Value): boolean
}

/** Other registered keys, which are claims like any other: RFC 9711, RFC 9200, and the token status list draft. */
const REGISTERED: readonly Registered[] = [
  {
    key: 10,
    name: 'eat_nonce',
    expected: 'bytes, or a list of bytes',
    fits: (value) => isBytes(value) || (isList(value) && value.length > 0 && value.every(isBytes)),
  },
  { key: 38, name: 'ace_profile', expected: 'an integer', fits: Number.isSafeInteger },
  { key: 39, name: 'cnonce', expected: 'bytes', fits: isBytes },
  { key: 65535, name: 'status', expected: 'a map', fits: isMap },
]
const byKey = new Map(REGISTERED.map((entry) => [entry.key, entry]))
const byName = new Map(REGISTERED.map((entry) => [entry.name, entry]))

const NUMBERED = /^cwt:(0|-?[1-9]\d{0,15})$/

// A record with such a member is not what it seems to code that does not expect it.
const FORBIDDEN: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

const refuse = (claim: CborLabel, expected: string): DragomanError =>
  new DragomanError('ERR_TOKEN_CLAIM', { detail: { claim, expected } })

/** @throws `ERR_TOKEN_CLAIM` for a member name that no neutral record has */
export function assertMemberName(name: string): void {
  if (FORBIDDEN.has(name)) throw refuse(name, 'another name')
}

/**
 * The name under which a claim with this key goes on: its JWT name where there is one, the text of a text key, and
 * `cwt:` and the number for an integer key that we do not know, so that it is kept or dropped by name like any other.
 *
 * @throws {@link DragomanError} `ERR_TOKEN_CLAIM` for a text key that names a claim which has an integer key that is
 * checked, or which looks like one of our numbered names; and for `exi`
 */
export function nameOfKey(key: CborLabel): string {
  if (key === EXI || key === 'exi') throw refuse('exi', 'a lifetime by the clock, in exp')
  if (typeof key === 'number') return byKey.get(key)?.name ?? `cwt:${key}`
  const integer = OWN.get(key)
  if (integer !== undefined) throw refuse(key, `its registered key ${integer}`)
  if (NUMBERED.test(key)) throw refuse(key, 'an integer key')
  assertMemberName(key)
  return key
}

/** The integer key that a text key stands for, when it names a claim of the neutral token's own. */
export const ownKey = (key: CborLabel): number | undefined => (typeof key === 'string' ? OWN.get(key) : undefined)

/** @throws `ERR_TOKEN_CLAIM` when the claim under this registered key is of another type than it is registered with */
export function assertRegisteredType(key: CborLabel, value: Value): void {
  const entry = typeof key === 'number' ? byKey.get(key) : undefined
  if (entry && !entry.fits(value)) throw refuse(entry.name, entry.expected)
}

/**
 * The key under which a claim is written; a string that is not a key but a reason when it cannot be.
 *
 * A claim whose value is not of the type that its integer key is registered with, such as a text `eat_nonce` from a
 * JWT, goes under its name.
 */
export function keyOfName(name: string, value: Value): { key: CborLabel } | { reason: string } {
  if (OWN.has(name)) return { reason: 'it is the gateway that sets this claim' }
  if (name === 'exi') return { reason: 'a lifetime counted from receipt would outlast exp' }
  if (FORBIDDEN.has(name)) return { reason: 'no record may have a member of this name' }
  const numbered = NUMBERED.exec(name)
  if (!numbered) {
    const entry = byName.get(name)
    return { key: entry?.fits(value) ? entry.key : name }
  }
  const key = Number(numbered[1])
  // Only what `nameOfKey` can have made: never a way to write `exp` or `cnf` past their checks.
  if (!Number.isSafeInteger(key) || byKey.has(key) || key === EXI || [...OWN.values()].includes(key)) {
    return { reason: 'the number is that of a registered claim' }
  }
  return { key }
}
