import type { ProfileDocument } from '../../profiles/document.ts'
import { type Path, pathText } from '../../profiles/problem.ts'
import { alternatives, membersOf, type Schema } from '../../profiles/walk.ts'
import { NEIGHBOUR } from '../configuration.ts'

/** A profile with one thing changed in it. */
export interface Mutation {
  /** What was changed, where: unique among those of one profile, and the same each time. */
  readonly name: string
  /** Where it was, in the profile as it stands. */
  readonly path: Path
  /** The changed profile, as text. */
  readonly text: string
}

/** Members that say nothing of what is issued. */
const WORDS: ReadonlySet<string> = new Set(['name', 'description'])

/**
 * Every way in which one thing of a profile could be otherwise, as far as its schema says what could be: a member left
 * out, an item of a list left out, a switch turned, another of several words, a number doubled, an expression inverted, a
 * list widened by somebody else's issuer, client, target, scope, a `danger_` option put in.
 *
 * Some of them cannot be loaded: who runs them finds out. Does NOT change names, paths and values that are free text.
 *
 * @param schema that of profiles, with the stages that there are
 * @see {@link runMutations}
 */
export function mutationsOf(document: ProfileDocument, schema: object): readonly Mutation[] {
  const found = new Map<string, Mutation>()
  const add: Add = (path, what, change) => {
    const name = `${pathText(path)}: ${what}`
    // JSON is YAML too.
    if (!found.has(name)) found.set(name, { name, path, text: JSON.stringify(changedAt(document, path, change)) })
  }
  visit(document, alternatives(schema), [], add)
  return [...found.values()]
}

/** What stands at a path instead; `undefined`: nothing, the member or item is gone. */
type Add = (path: Path, what: string, change: (value: unknown) => unknown) => void

function visit(value: unknown, schemas: readonly Schema[], path: Path, add: Add): void {
  if (Array.isArray(value)) visitList(value, schemas, path, add)
  else if (typeof value === 'object' && value !== null) visitMap(value as Members, schemas, path, add)
  else visitScalar(value, schemas, path, add)
  for (const { const: constant } of schemas) {
    if (constant === undefined || constant === value) continue
    add(path, `becomes ${JSON.stringify(constant)}`, () => constant)
  }
}

type Members = { readonly [name: string]: unknown }

function visitMap(value: Members, schemas: readonly Schema[], path: Path, add: Add): void {
  for (const [name, member] of Object.entries(value)) {
    if (WORDS.has(name) && (path.length === 0 || path.includes('conditions'))) continue
    const here = [...path, name]
    const own = membersOf(schemas, name)
    if (!isDefault(member, own)) add(here, 'removed', () => undefined)
    visit(member, own, here, add)
  }
  const known = new Set(schemas.flatMap(({ properties = {} }) => Object.keys(properties)))
  for (const name of known) {
    if (name.startsWith('danger_') && value[name] === undefined) add(path, `${name} added`, put(name, true))
  }
  for (const [name, added] of missing(value, known, path)) {
    add(path, `${name}: ${JSON.stringify(added)} added`, put(name, added))
  }
}

/** Whether a value says what stands there without it, so that leaving it out changes nothing. */
function isDefault(value: unknown, schemas: readonly Schema[]): boolean {
  if (schemas.some((schema) => schema.default !== undefined && same(schema.default, value))) return true
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const members = Object.entries(value)
  return members.length > 0 && members.every(([name, member]) => isDefault(member, membersOf(schemas, name)))
}

const same = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)

const put = (name: string, added: unknown) => (value: unknown) => ({ ...(value as Members), [name]: added })

// The highest that a profile may set.
const LONGEST = 86_400

/** Options whose default is a check, and what turns it off. */
function missing(value: Members, known: ReadonlySet<string>, path: Path): readonly (readonly [string, unknown])[] {
  const found: [string, unknown][] = []
  // A certificate is asked for no audience anyway.
  if (known.has('single_use') && value['format'] !== 'x509') {
    if (value['audience'] === undefined) found.push(['audience', 'any'])
    if (value['presented_by'] === undefined) found.push(['presented_by', 'audience'])
  }
  if (known.has('replacements') && value['replacements'] === undefined) found.push(['replacements', 2])
  if (known.has('subject_token_authenticates') && value['subject_token_authenticates'] === undefined) {
    found.push(['subject_token_authenticates', true])
  }
  // Where a stage sets the lifetime, or the rows of a table, the ceiling does not matter.
  const bounded = () => value['transactions'] !== undefined || setsLifetime(value)
  if (path.length === 0 && value['max_lifetime'] === undefined && !bounded()) found.push(['max_lifetime', LONGEST])
  return found
}

const setsLifetime = ({ stages }: Members): boolean =>
  (stages as readonly Members[]).some(
    (stage) => stage['when'] === undefined && (Object(stage['validity']) as Members)['lifetime'] !== undefined,
  )

function visitList(value: readonly unknown[], schemas: readonly Schema[], path: Path, add: Add): void {
  const items = schemas.flatMap(({ items: one }) => (one === undefined ? [] : alternatives(one)))
  for (const [index, item] of value.entries()) {
    if (value.length > 1 && !isDefault(item, items)) add([...path, index], 'removed', () => undefined)
    visit(item, items, [...path, index], add)
  }
  const widen = (item: unknown) => add(path, `widened by ${JSON.stringify(item)}`, () => [...value, item])
  for (const item of others(path)) if (!value.includes(item)) widen(item)
  const few = items.flatMap(({ enum: all = [] }) => (all.length <= FEW ? all : []))
  for (const item of few) if (!value.includes(item)) widen(item)
}

/** One that the twins tell of as well. */
const OTHER_VALUE = 'dragoman-test:other'

// Of longer lists one other word shows as much as all of them.
const FEW = 5

/** What belongs to somebody else, by where it would stand. */
function others(path: Path): readonly string[] {
  const [last, above] = path.toReversed()
  if (last === 'issuers') return [NEIGHBOUR.issuer]
  if (last === 'clients') return [NEIGHBOUR.client]
  if (last === 'algorithms') return ['ES384', 'Ed25519']
  if (last === 'keep') return ['groups']
  if (last === 'subjects') return ['*']
  if (last === 'among') return [OTHER_VALUE]
  if (last === 'scope' && path[0] === 'transactions') return [NEIGHBOUR.scope]
  if (last === 'method') return ['dpop', 'mtls', 'pkcs10']
  if (last !== 'allow') return []
  return above === 'targets' ? [NEIGHBOUR.target] : [NEIGHBOUR.scope]
}

function visitScalar(value: unknown, schemas: readonly Schema[], path: Path, add: Add): void {
  if (typeof value === 'boolean') add(path, `becomes ${!value}`, () => !value)
  if (typeof value === 'number') {
    const most = Math.min(...schemas.map(({ maximum = Infinity }) => maximum))
    const larger = Math.min(most, value * 2)
    if (larger !== value) add(path, `becomes ${larger}`, () => larger)
  }
  if (typeof value !== 'string') return
  if (isExpression(path)) add(path, 'inverted', () => `!(${value})`)
  if (isMember(path)) add(path, 'becomes optional', () => ({ type: value, required: false }))
  const all = schemas.flatMap((schema) => schema.enum ?? []).filter((word) => word !== value)
  for (const word of all.length < FEW ? all : all.slice(0, 1)) add(path, `becomes ${String(word)}`, () => word)
}

/** Expressions that decide, and say so by where they stand. */
function isExpression(path: Path): boolean {
  const [last, above] = path.toReversed()
  return last === 'when' || above === 'conditions' || (last === 'expression' && path.includes('conditions'))
}

/** A member of a transaction, by its type alone: such a one is needed. */
const isMember = ([first, , third, , more]: Path): boolean =>
  first === 'transactions' && (third === 'details' || third === 'context') && more === undefined

/** A copy of a document with what stands at a path changed. */
function changedAt(value: unknown, [step, ...rest]: Path, change: (value: unknown) => unknown): unknown {
  if (step === undefined) return change(value)
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) => {
      const next = index === step ? changedAt(item, rest, change) : item
      return next === undefined ? [] : [next]
    })
  }
  const members = Object.entries(value as Members).map(([name, member]) => [
    name,
    name === step ? changedAt(member, rest, change) : member,
  ])
  return Object.fromEntries(members.filter(([, member]) => member !== undefined))
}
