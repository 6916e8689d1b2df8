import { DragomanError } from '../core/errors.ts'
import type { Acceptance } from '../core/profile.ts'
import { subjectSpace } from '../core/subjects.ts'
import type { Member, TransactionKind } from '../core/transaction.ts'
import { OF_THE_CLIENT, tokenTypes } from '../core/types.ts'
import { isKind } from '../core/value.ts'
import type { Entry, MemberDocument, ProfileEnvironment, TransactionDocument } from './document.ts'
import { hint } from './nearest.ts'
import { type Path, pathText } from './problem.ts'
import type { Report } from './report.ts'
import type { Written } from './writer.ts'

/**
 * The table of transactions, prepared: which client may start which, and the most that a token for it can say.
 *
 * Reports clients and token types that there are not, subjects that cannot be, members that could never fit, and rows that
 * one request could not choose between: a scope that a client has from two of them.
 */
export function transactionsOf(
  rows: readonly TransactionDocument[],
  accepts: Acceptance,
  environment: ProfileEnvironment,
  report: Report,
): readonly TransactionKind[] {
  const kinds = rows.map((row, index) => kindOf(row, ['transactions', index], accepts, environment, report))
  for (const [later, kind] of kinds.entries()) {
    for (const earlier of kinds.slice(0, later)) checkApart(earlier, kind, ['transactions', later], report)
  }
  return Object.freeze(kinds)
}

function kindOf(
  row: TransactionDocument,
  path: Path,
  { subject }: Acceptance,
  environment: ProfileEnvironment,
  report: Report,
): TransactionKind {
  const add = (at: Path, message: string) => report.add({ path: [...path, ...at], message, code: 'ERR_PROFILE_OPTION' })
  for (const [index, client] of row.clients.entries()) {
    if (environment.clients.includes(client)) continue
    add(
      ['clients', index],
      `there is no client ${JSON.stringify(client)}; ${hint(client, environment.clients, 'there are')}`,
    )
  }
  const { subject_token_types: types = subject.types } = row
  for (const [index, type] of types.entries()) {
    if (subject.types.includes(type)) continue
    add(['subject_token_types', index], `expected one that the profile takes: ${subject.types.join(', ')}`)
  }
  const replaced = subject.types.includes(tokenTypes.txnToken)
  if (row.replacements !== undefined && !replaced) {
    add(['replacements'], `no such option: it is for subject tokens of type ${tokenTypes.txnToken}`)
  }
  return Object.freeze({
    name: row.name,
    clients: Object.freeze([...row.clients]),
    types: Object.freeze([...types]),
    about: report.attempt([...path, 'subjects'], () => spaceOf(row.subjects)) ?? (() => false),
    scope: Object.freeze([...row.scope]),
    lifetime: row.lifetime,
    replacements: row.replacements ?? 1,
    details: membersOf(row.details, [...path, 'details'], environment, report),
    context: membersOf(row.context, [...path, 'context'], environment, report),
  })
}

function spaceOf(subjects: readonly string[]): (subject: string) => boolean {
  try {
    return subjectSpace(subjects)
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    throw new DragomanError('ERR_PROFILE_OPTION', { detail: { expected: error.detail['expected'] } })
  }
}

function membersOf(
  members: { readonly [name: string]: MemberDocument } = {},
  path: Path,
  environment: ProfileEnvironment,
  report: Report,
): ReadonlyMap<string, Member> {
  return new Map(
    Object.entries(members).map(([name, member]) => [name, memberOf(member, [...path, name], environment, report)]),
  )
}

function memberOf(member: MemberDocument, path: Path, environment: ProfileEnvironment, report: Report): Member {
  if (typeof member === 'string')
    return Object.freeze({ type: member, required: true, among: undefined, make: undefined })
  const { type, required = true, among, value, cel } = member
  const wrong = [...(among ?? []), ...(value === undefined ? [] : [value])].some((one) => !isKind(one, type))
  if (wrong) report.add({ path, message: `expected values of type ${type}`, code: 'ERR_PROFILE_OPTION', atName: true })
  if (value !== undefined && cel !== undefined) {
    report.add({ path, message: 'expected `value` or `cel`, not both', code: 'ERR_PROFILE_OPTION', atName: true })
  }
  return Object.freeze({
    type,
    required,
    among: among && Object.freeze([...among]),
    make: value === undefined ? expressionAt(cel, [...path, 'cel'], environment, report) : () => value,
  })
}

function expressionAt(
  source: string | undefined,
  path: Path,
  { catalog }: ProfileEnvironment,
  report: Report,
): Member['make'] {
  if (source === undefined) return undefined
  const expression = report.attempt(path, () => catalog.expression(source))
  if (expression === undefined) return undefined
  return (variables) => {
    try {
      return expression.evaluate(variables)
    } catch (error) {
      if (!(error instanceof DragomanError)) throw error
      throw new DragomanError(error.code, { detail: { ...error.detail, path: pathText(path) }, cause: error })
    }
  }
}

function checkApart(earlier: TransactionKind, later: TransactionKind, path: Path, report: Report): void {
  const add = (member: string, message: string) =>
    report.add({ path: [...path, member], message, code: 'ERR_PROFILE_OPTION' })
  if (earlier.name === later.name) add('name', 'expected a name of its own: another row has it')
  const client = later.clients.find((id) => earlier.clients.includes(id))
  if (client === undefined || !later.types.some((type) => earlier.types.includes(type))) return
  const scope = later.scope.find((name) => earlier.scope.includes(name))
  if (scope === undefined) return
  add(
    'scope',
    `${client} has ${scope} from ${earlier.name} already; a scope names the transaction, so that each has its own`,
  )
}

/** Reports a transaction token without a table, which anybody could have for anything, and a token under its name. */
export function checkTransactionToken({ writer }: Written, rows: unknown, path: Path, report: Report): void {
  if (writer.tokenType !== tokenTypes.txnToken) return
  if (writer.frozen === undefined) {
    const message = `expected \`to: jwt, kind: txntoken+jwt\` with the token type ${tokenTypes.txnToken}`
    report.add({ path, message, code: 'ERR_PROFILE_OPTION', atName: true })
  } else if (rows === undefined) {
    const message = 'a transaction token needs `transactions`: who may start which, and the most that it can say'
    report.add({ path, message, code: 'ERR_PROFILE_OPTION', atName: true })
  }
}

/**
 * Reports a transaction token whose subject could be two people: inside a domain `sub` is unique (transaction tokens §11.3),
 * and two issuers may have one name for different ones. What a client says itself, it says in the names of the domain.
 */
export function checkOneSubject(
  { subject }: Acceptance,
  rows: unknown,
  entries: readonly Entry[],
  report: Report,
): void {
  if (rows === undefined || subject.issuers.length < 2 || subject.types.some((type) => OF_THE_CLIENT.has(type))) return
  if (entries.some(({ stage, options }) => stage.name === 'subject' && Object.keys(Object(options)).some(isWay))) return
  const message = 'several issuers may call two people by one name; add `subject: { lookup: … }`, or a profile for each'
  report.add({ path: ['accept', 'subject', 'issuers'], message, code: 'ERR_PROFILE_OPTION', atName: true })
}

/** The ways to make a subject, beside the option that adds an actor to it. */
const isWay = (option: string): boolean => option !== 'actor'

/** The clients of all rows, each once: who may use a profile that has a table. */
export const clientsOf = (rows: readonly TransactionDocument[]): readonly string[] => [
  ...new Set(rows.flatMap(({ clients }) => clients)),
]
