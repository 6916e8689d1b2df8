import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { Path, Problem } from './source.ts'

/** Checks a value against one JSON Schema and says in words what is wrong. */
export type Check = (value: unknown) => readonly Problem[]

/** Compiles a schema (2020-12) once; `format` and unknown keywords are notes for editors and are not checked. */
export function checkFor(schema: object): Check {
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false, verbose: true })
  const validate: ValidateFunction = ajv.compile(schema)
  return (value) => (validate(value) ? [] : problemsOf(validate.errors ?? []))
}

function problemsOf(errors: readonly ErrorObject[]): readonly Problem[] {
  // Of alternatives each says why it is none of them; the deepest one knows what was meant.
  const sums = errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')
  const plain = errors.filter(
    (error) =>
      error.keyword !== 'if' &&
      !sums.some(
        (sum) =>
          sum === error ||
          (error.instancePath.startsWith(sum.instancePath) && error.schemaPath.startsWith(sum.schemaPath)),
      ),
  )
  const told = [...plain.map(problemOf), ...sums.map(alternativesOf)]
  const seen = new Set<string>()
  return told.filter(({ path, message }) => {
    const key = `${path.join('/')} ${message}`
    return !seen.has(key) && seen.add(key)
  })
}

function problemOf(error: ErrorObject): Problem {
  const path = pointer(error.instancePath)
  const { keyword, params, data, parentSchema } = error
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params['additionalProperty'])
      const known = Object.keys((parentSchema as { properties?: object } | undefined)?.properties ?? {})
      return { path: [...path, name], atName: true, message: `unknown option; ${suggestion(name, known)}` }
    }
    case 'required':
      return { path, message: `\`${params['missingProperty']}\` is missing` }
    case 'dependentRequired':
      return { path, message: `\`${params['missingProperty']}\` is missing, which goes with \`${params['property']}\`` }
    case 'type':
      return { path, message: `expected ${article(String(params['type']))}, found ${kindOf(data)}` }
    case 'enum':
      return {
        path,
        message: `expected one of ${list(params['allowedValues'])}${nearest(data, params['allowedValues'])}`,
      }
    case 'const':
      return { path, message: `expected ${JSON.stringify(params['allowedValue'])}, or no such option` }
    case 'pattern':
      return { path, message: `expected text that matches ${params['pattern']}` }
    case 'minLength':
      return { path, message: 'expected text that is not empty' }
    case 'minItems':
      return { path, message: `expected at least ${params['limit']} in the list` }
    case 'maxItems':
      return { path, message: `expected at most ${params['limit']} in the list` }
    case 'uniqueItems':
      return { path: [...path, Number(params['i'])], message: 'stands in the list twice' }
    case 'minProperties':
      return { path, message: 'expected at least one option' }
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return { path, message: `expected a number ${params['comparison']} ${params['limit']}` }
    case 'propertyNames':
      return {
        path: [...path, String(params['propertyName'])],
        atName: true,
        message: 'not a name that can stand here',
      }
    default:
      return { path, message: error.message ?? `does not fit (${keyword})` }
  }
}

function alternativesOf({ instancePath, keyword, data, schema, params }: ErrorObject): Problem {
  const path = pointer(instancePath)
  const options = (Array.isArray(schema) ? schema : []) as readonly {
    required?: readonly string[]
    type?: string
    const?: unknown
  }[]
  const groups = options.flatMap(({ required }) =>
    required ? [required.map((name) => `\`${name}\``).join(' with ')] : [],
  )
  if (groups.length > 0) {
    const several = keyword === 'oneOf' && params['passingSchemas'] !== null && params['passingSchemas'] !== undefined
    return { path, message: `expected exactly one of ${groups.join(', ')}${several ? ', found several' : ''}` }
  }
  const kinds = options.flatMap(({ type, const: constant }) =>
    constant === undefined ? (type === undefined ? [] : [article(type)]) : [JSON.stringify(constant)],
  )
  return { path, message: `expected ${kinds.join(' or ') || 'another value'}, found ${kindOf(data)}` }
}

const pointer = (text: string): Path =>
  text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))

const list = (values: unknown): string => (Array.isArray(values) ? values.map((value) => String(value)).join(', ') : '')

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

function suggestion(name: string, known: readonly string[]): string {
  const near = closest(name, known)
  if (near !== undefined) return `did you mean \`${near}\`?`
  return known.length === 0 ? 'there are no options here' : `known here: ${known.join(', ')}`
}

const nearest = (value: unknown, known: unknown): string => {
  const near = typeof value === 'string' && Array.isArray(known) ? closest(value, known.map(String)) : undefined
  return near === undefined ? '' : `; did you mean \`${near}\`?`
}

/** The name that most resembles `name`, if any does: at most a third of it differs. */
export function closest(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((left, right) => left.distance - right.distance)
  const [best] = ranked
  return best && best.distance <= Math.max(1, Math.floor(name.length / 3)) ? best.candidate : undefined
}

/** Edits (insert, delete, replace, swap of neighbours) from one word to the other. */
function editDistance(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= to.length; j += 1) {
      const above = rows[i - 1] ?? []
      const same = from[i - 1] === to[j - 1] ? 0 : 1
      let cost = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, (rows[i - 2]?.[j - 2] ?? 0) + 1)
      }
      row.push(cost)
    }
    rows.push(row)
  }
  return rows[from.length]?.[to.length] ?? 0
}
