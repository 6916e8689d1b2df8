import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { closest, hint } from './nearest.ts'
import type { Path, Problem } from './problem.ts'

/** Checks a value against one JSON Schema and says in words what is wrong. */
export type Check = (value: unknown) => readonly Problem[]

/**
 * Compiles a schema (2020-12) once. A keyword that there is not refuses, and so does one whose value is of the wrong type,
 * so that no stage is checked less than it says; `format` is a note for editors.
 *
 * @throws Error for a schema that is none
 */
export function checkFor(schema: object): Check {
  const ajv = new Ajv2020({
    allErrors: true,
    strict: true,
    // `required` stands beside `properties` in alternatives, and a value may be of two types.
    strictRequired: false,
    strictTypes: false,
    validateFormats: false,
    verbose: true,
    // Compiling the schema of schemas takes a third of the time, and making the code shorter another.
    meta: false,
    validateSchema: false,
    code: { optimize: false },
  })
  const validate: ValidateFunction = ajv.compile(schema)
  return (value) => (validate(value) ? [] : problemsIn(validate.errors ?? []))
}

function problemsIn(errors: readonly ErrorObject[]): readonly Problem[] {
  const inside = insideOf(errors)
  const told = errors.flatMap((error) => {
    // `if` has a branch that says more, and `propertyNames` what is wrong with the name.
    if (error.keyword === 'if' || error.keyword === 'propertyNames') return []
    // Of alternatives each says why it is none of them; those that could have been meant are told, or all in one.
    if (inside.inner.has(error)) return []
    const own = inside.of.get(error)
    if (own !== undefined) return alternatives(error, own, inside.plain)
    return error.keyword === 'type' && inside.choices.has(placeOf(error)) ? [] : problemOf(error)
  })
  const seen = new Set<string>()
  return told.filter(({ path, message }) => {
    const key = `${path.join('/')} ${message}`
    return !seen.has(key) && seen.add(key)
  })
}

interface Inside {
  /** Of each choice between alternatives (`anyOf`, `oneOf`) that fails: what is wrong inside it. */
  readonly of: ReadonlyMap<ErrorObject, readonly ErrorObject[]>
  /** What is wrong inside any of them. */
  readonly inner: ReadonlySet<ErrorObject>
  /** Where something is no map, or has a member that there is not. */
  readonly plain: ReadonlySet<string>
  /** What is none of a list of values; of which type those are is no news then. */
  readonly choices: ReadonlySet<string>
}

/** Which errors belong together. Finds them by their paths, since there may be tens of thousands. */
function insideOf(errors: readonly ErrorObject[]): Inside {
  const of = new Map<ErrorObject, ErrorObject[]>()
  const byPlace = new Map<string, ErrorObject[]>()
  for (const error of errors) {
    if (error.keyword !== 'anyOf' && error.keyword !== 'oneOf') continue
    const own: ErrorObject[] = []
    of.set(error, own)
    byPlace.set(`${error.schemaPath}\n${error.instancePath}`, own)
  }
  const inner = new Set<ErrorObject>()
  for (const error of of.size === 0 ? [] : errors) {
    for (const { index, 0: keyword } of error.schemaPath.matchAll(/\/(?:anyOf|oneOf)(?=\/)/g)) {
      const schemaPath = error.schemaPath.slice(0, index + keyword.length)
      for (const instancePath of upwards(error.instancePath)) {
        const own = byPlace.get(`${schemaPath}\n${instancePath}`)
        if (own === undefined) continue
        own.push(error)
        inner.add(error)
        break
      }
    }
  }
  const at = (keywords: readonly string[], place: (error: ErrorObject) => string) =>
    new Set(errors.filter(({ keyword }) => keywords.includes(keyword)).map(place))
  return {
    of,
    inner,
    plain: at(['type', 'additionalProperties'], ({ instancePath }) => instancePath),
    choices: at(['enum'], placeOf),
  }
}

/** A path and those above it. */
function upwards(path: string): readonly string[] {
  const paths = [path]
  for (let end = path.lastIndexOf('/'); end !== -1; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) {
    paths.push(path.slice(0, end))
  }
  return paths
}

/** One schema, one value. */
const placeOf = ({ schemaPath, instancePath }: ErrorObject): string =>
  `${schemaPath.slice(0, schemaPath.lastIndexOf('/'))}\n${instancePath}`

function problemOf(error: ErrorObject): Problem {
  const { keyword, params, data, parentSchema, propertyName, instancePath } = error
  if (propertyName !== undefined) {
    const { message } = problemOf({ ...error, propertyName: undefined } as unknown as ErrorObject)
    return { path: [...pointer(instancePath), propertyName], atName: true, message: `${message} as a name` }
  }
  const path = pointer(instancePath)
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty'])
      const known = Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {})
      const words = known.length === 0 ? 'there are no options here' : hint(name, known)
      return { path: [...path, name], atName: true, message: `unknown option; ${words}` }
    }
    case 'required':
      return { path, message: `\`${params['missingProperty']}\` is missing` }
    case 'dependentRequired':
      return { path, message: `\`${params['missingProperty']}\` is missing, which goes with \`${params['property']}\`` }
    case 'type':
      return { path, message: `expected ${article(String(params['type']))}, found ${kindOf(data)}` }
    case 'enum':
      return { path, message: expectedOneOf(data, params['allowedValues']) }
    case 'const':
      return { path, message: `expected ${JSON.stringify(params['allowedValue'])}, or no such option` }
    case 'pattern':
      return {
        path,
        message: `expected ${PATTERNS[String(params['pattern'])] ?? `text that matches ${params['pattern']}`}`,
      }
    case 'minLength':
      return { path, message: 'expected text that is not empty' }
    case 'maxLength':
      return { path, message: `expected at most ${params['limit']} characters` }
    case 'minItems':
      return { path, message: `expected at least ${params['limit']} in the list` }
    case 'maxItems':
      return { path, message: `expected at most ${params['limit']} in the list` }
    case 'uniqueItems':
      return {
        path: [...path, Math.max(Number(params['i']), Number(params['j']))],
        message: 'stands in the list twice',
      }
    case 'minProperties':
      return { path, message: 'expected at least one option' }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return { path, message: `expected a number ${BOUNDS[String(params['comparison'])]} ${params['limit']}` }
    default:
      return { path, message: error.message ?? `does not fit (${keyword})` }
  }
}

const BOUNDS: { readonly [comparison: string]: string } = {
  '<=': 'of at most',
  '>=': 'of at least',
  '<': 'below',
  '>': 'above',
}

/** Patterns of the schemas in words: who has to read one has to know what was meant. */
const PATTERNS: { readonly [pattern: string]: string | undefined } = {
  '^https?://[^?#]+$': 'a URL with https:// (or http://), without query and fragment',
  '^[a-z0-9][a-z0-9-]*$': 'a name of small letters, digits and hyphens',
  '^[0-9a-f]{64}$': 'a SHA-256 in hex: 64 digits and small letters',
}

interface Alternative {
  readonly required?: readonly string[]
  readonly type?: string
  readonly const?: unknown
}

function alternatives(sum: ErrorObject, inner: readonly ErrorObject[], plain: ReadonlySet<string>): readonly Problem[] {
  const { instancePath, data, schema, schemaPath } = sum
  const path = pointer(instancePath)
  const options = (Array.isArray(schema) ? schema : []) as readonly Alternative[]
  if (options.some(({ required }) => required !== undefined) && options.every(({ type }) => type === undefined)) {
    // What is no map, or has a member that is misspelt, is told so; which members it should have is no news then.
    return plain.has(instancePath) ? [] : [membersOf(sum, options)]
  }
  // Of the one alternative that is of the same type, or whose inside was reached, it is known what was meant.
  const near = options.flatMap((_, index) => {
    const own = inner.filter((error) => error.schemaPath.startsWith(`${schemaPath}/${index}/`))
    return own.some(({ keyword, instancePath: at }) => at === instancePath && /^(?:type|const)$/.test(keyword))
      ? []
      : [own]
  })
  const [only, another] = near
  if (only !== undefined && another === undefined && only.length > 0) return problemsIn(only)
  const kinds = options.flatMap(({ type, const: constant }) =>
    constant === undefined ? (type === undefined ? [] : [article(type)]) : [JSON.stringify(constant)],
  )
  return [{ path, message: `expected ${kinds.join(' or ') || 'another value'}, found ${kindOf(data)}` }]
}

/** Of groups of members, exactly one is to be there. */
function membersOf({ instancePath, data, params }: ErrorObject, options: readonly Alternative[]): Problem {
  const path = pointer(instancePath)
  const groups = options.map(({ required = [] }) => required)
  const either = groups.every(({ length }) => length === 1) ? ', ' : ', or '
  const text = groups.map((names) => names.map((name) => `\`${name}\``).join(' and ')).join(either)
  if (Array.isArray(params['passingSchemas']))
    return { path, message: `expected exactly one of ${text}, found several` }
  const there = new Set(Object.keys(Object(data)))
  const [begun, other] = groups.filter((names) => names.some((name) => there.has(name)))
  const missing = begun !== undefined && other === undefined ? begun.filter((name) => !there.has(name)) : []
  if (missing.length === 0) return { path, message: `expected exactly one of ${text}` }
  return { path, message: missing.map((name) => `\`${name}\` is missing`).join(', ') }
}

const pointer = (text: string): Path =>
  text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))

function expectedOneOf(data: unknown, allowed: unknown): string {
  const names = Array.isArray(allowed) ? allowed.map(String) : []
  const near = typeof data === 'string' ? closest(data, names) : undefined
  return `expected one of ${names.join(', ')}${near === undefined ? '' : `; did you mean \`${near}\`?`}`
}

const article = (type: string): string =>
  ({
    array: 'a list',
    object: 'a map',
    string: 'text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  })[type] ?? type

/** What kind of thing stands there. Never the value: a secret may have slipped into the wrong place. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return article(typeof value === 'object' ? 'object' : typeof value)
}
