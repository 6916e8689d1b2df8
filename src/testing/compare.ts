import { TRANSACTION_TOKEN } from '../core/acceptance.ts'
import { DragomanError } from '../core/errors.ts'
import { claimOf, type Token } from '../core/token.ts'
import { isBytes, isList, isMap, map, sameValue, type Value } from '../core/value.ts'
import type { ExpectDocument, IssuedDocument } from './document.ts'
import type { Issue, Outcome } from './outcome.ts'
import type { Parties } from './parties.ts'
import type { Stand } from './stand.ts'
import { neutral, scopesOf, textsOf } from './tokens.ts'

/** One thing that is not as it was expected. */
export interface Difference {
  /** What it is about, as the test file names it: `claims.email`, `refused`. */
  readonly what: string
  readonly expected: string
  readonly actual: string
  /** More words, such as where in the profile it was refused. */
  readonly note?: string
}

/** How the outcome of a case differs from what it expects; none: it passes. */
export function compare(expect: ExpectDocument, outcome: Outcome, stand: Stand): readonly Difference[] {
  const told = expect.token === undefined ? refusal(expect, outcome) : issuance(expect, outcome, stand)
  const audit = expect.subject_in_audit === undefined ? [] : inAudit(expect.subject_in_audit, outcome)
  return [...told, ...audit]
}

function refusal(expect: ExpectDocument, { refusal: error, record }: Outcome): readonly Difference[] {
  const { refused = '', at, detail = {} } = expect
  if (error === undefined) return [{ what: 'refused', expected: refused, actual: 'a token was issued' }]
  if (error.code !== refused) return [{ what: 'refused', expected: refused, actual: error.code, note: wordsOf(error) }]
  const last = record.trace.at(-1)
  const places = [last?.step, last?.path].filter((place) => place !== undefined)
  return [
    ...(at === undefined || places.includes(at)
      ? []
      : [{ what: 'at', expected: at, actual: places.join(', ') || 'nowhere' }]),
    ...Object.entries(detail).flatMap(([name, value]) => differs(`detail.${name}`, value, last?.detail?.[name])),
  ]
}

/** What an error says, and what it expected. */
export function wordsOf({ message, detail }: DragomanError): string {
  const more = Object.entries(detail)
    .filter(([name, value]) => name !== 'path' && (name !== 'expected' || typeof value !== 'string'))
    .map(([name, value]) => `${name}: ${shown(value)}`)
  return [message, ...more].join('; ')
}

function issuance(expect: ExpectDocument, outcome: Outcome, stand: Stand): readonly Difference[] {
  if (outcome.refusal !== undefined) {
    return [{ what: 'token', expected: 'a token', actual: outcome.refusal.code, note: wordsOf(outcome.refusal) }]
  }
  const { issued } = outcome
  if (issued.token instanceof DragomanError) {
    const actual = `${issued.token.code} when it is read back`
    return [{ what: 'token', expected: 'a token', actual, note: wordsOf(issued.token) }]
  }
  return [
    ...tokenDifferences(expect.token ?? {}, issued, issued.token, stand),
    ...Object.entries(expect.ledger ?? {}).flatMap(([claim, wanted]) => inLedger(claim, wanted, issued)),
  ]
}

type Wanted = NonNullable<ExpectDocument['ledger']>[string]

function inLedger(claim: string, wanted: Wanted, { result: { ledger } }: Issue): readonly Difference[] {
  const { became, to } = typeof wanted === 'string' ? { became: wanted, to: undefined } : wanted
  const entry = ledger.find((one) => one.claim === claim)
  const say = (what: string | undefined, name: string | undefined) =>
    what === undefined ? 'not in the ledger' : name === undefined ? what : `${what} to ${name}`
  if (entry?.became === became && (to === undefined || entry.to === to)) return []
  return [{ what: `ledger.${claim}`, expected: say(became, to), actual: say(entry?.became, entry?.to) }]
}

function tokenDifferences(wanted: IssuedDocument, issue: Issue, token: Token, stand: Stand): readonly Difference[] {
  const { validity, provenance, claims } = token
  const { clock } = stand.test
  const { result } = issue
  const { rendering } = stand.loaded
  const since = (time: number | undefined) => (time === undefined ? undefined : time - clock)
  const when = <T>(value: T | undefined, check: (value: T) => readonly Difference[]) =>
    value === undefined ? [] : check(value)
  return [
    ...when(wanted.format, (format) => differs('format', format, provenance.format)),
    ...when(wanted.kind, (kind) => differs('kind', kind, provenance.kind ?? rendering.kind)),
    ...when(wanted.algorithm, (algorithm) => differs('algorithm', algorithm, provenance.algorithm)),
    ...when(wanted.type, (type) => differs('type', type, result.issued_token_type)),
    ...when(wanted.begins, (text) => differs('begins', text, result.access_token.slice(0, text.length))),
    ...when(wanted.max_length, (most) =>
      result.access_token.length <= most
        ? []
        : [{ what: 'max_length', expected: `at most ${most}`, actual: String(result.access_token.length) }],
    ),
    ...when(wanted.token_type, (type) => differs('token_type', type, result.token_type)),
    ...when(wanted.claims, (all) =>
      Object.entries(all).flatMap(([name, value]) => differs(`claims.${name}`, value, claims[name])),
    ),
    ...when(wanted.act, (act) => differs('act', act, claims['act'])),
    ...when(wanted.only, () => more(wanted, token)),
    ...when(wanted.present, (names) =>
      names
        .filter((name) => valueIn(token, name) === undefined)
        .map((name) => ({ what: name, expected: 'present', actual: ABSENT })),
    ),
    ...when(wanted.absent, (names) =>
      names
        .filter((name) => valueIn(token, name) !== undefined)
        .map((name) => ({ what: name, expected: ABSENT, actual: shown(valueIn(token, name)) })),
    ),
    ...when(wanted.audience, (audience) => differs('audience', sorted(textsOf(audience)), sorted(validity.audience))),
    ...when(wanted.scope, (scope) => differs('scope', sorted(scopesOf(scope)), sorted(validity.scope ?? []))),
    ...when(wanted.lifetime, (lifetime) => differs('lifetime', lifetime, since(validity.expiresAt))),
    ...when(wanted.not_before, (start) => differs('not_before', start, since(validity.notBefore))),
    ...when(wanted.cnf, (cnf) => boundTo(cnf, token, stand.parties)),
  ]
}

/** What every token has, and of a transaction token its identifier: another one each time, and no claim of anybody's. */
const OF_ALL: readonly string[] = ['x509', 'client_id']
const OF_TRANSACTIONS: readonly string[] = [...OF_ALL, 'txn']

function more({ claims = {}, present = [], act }: IssuedDocument, token: Token): readonly Difference[] {
  const own = token.provenance.kind === TRANSACTION_TOKEN ? OF_TRANSACTIONS : OF_ALL
  const allowed = new Set([...Object.keys(claims), ...present, ...own, ...(act === undefined ? [] : ['act'])])
  return Object.entries(token.claims)
    .filter(([name]) => !allowed.has(name))
    .map(([name, value]) => ({ what: `claims.${name}`, expected: ABSENT, actual: shown(value) }))
}

/** A claim by its name, also of those that a token holds apart. */
const valueIn = (token: Token, name: string): unknown =>
  name === 'cnf' ? token.confirmation && 'a confirmation' : claimOf(token, name)

function boundTo(cnf: string | false, { confirmation }: Token, parties: Parties): readonly Difference[] {
  const { publicKey, jkt, x5tS256 } = confirmation ?? {}
  if (cnf === false) {
    return confirmation === undefined ? [] : [{ what: 'cnf', expected: 'bound to no key', actual: 'bound to a key' }]
  }
  const actual = confirmation === undefined ? 'bound to no key' : 'bound to another key'
  const holder = parties.holder(cnf)
  const certificates = parties.certificatesOf(cnf)
  const same =
    [publicKey?.jkt, jkt].includes(holder.publicKey.jkt) || (x5tS256 !== undefined && certificates.includes(x5tS256))
  return same ? [] : [{ what: 'cnf', expected: `bound to the key ${cnf}`, actual }]
}

function inAudit(wanted: NonNullable<ExpectDocument['subject_in_audit']>, { record }: Outcome): readonly Difference[] {
  const { subject } = record
  const actual = subject === undefined ? 'absent' : /^sha256:[0-9a-f]{64}$/.test(subject) ? 'hashed' : 'plain'
  return actual === wanted ? [] : [{ what: 'subject_in_audit', expected: wanted, actual }]
}

const ABSENT = 'absent'

const sorted = (list: readonly string[]): readonly string[] => [...list].sort()

function differs(what: string, expected: unknown, actual: unknown): readonly Difference[] {
  if (actual !== undefined && sameValue(neutral(expected), comparable(actual))) return []
  return [{ what, expected: shown(expected), actual: shown(actual) }]
}

/** The same with bytes as the text that a test file has for them. */
function comparable(value: unknown): Value {
  const plain = value as Value
  if (isBytes(plain)) return Buffer.from(plain).toString('base64url')
  if (isList(plain)) return plain.map(comparable)
  return isMap(plain) ? map(Object.entries(plain).map(([name, inner]) => [name, comparable(inner)])) : plain
}

/** A value as a person reads it. */
export const shown = (value: unknown): string => (value === undefined ? ABSENT : JSON.stringify(comparable(value)))
