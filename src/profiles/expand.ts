import { type Document, isMap, isNode, isPair, isScalar, isSeq, parseDocument, type YAMLMap } from 'yaml'
import { defaultTypes } from '../core/acceptance.ts'
import type { Catalog } from '../core/catalog.ts'
import { tokenTypes } from '../core/types.ts'
import { profileSchema } from './schema.ts'

/** What stands where a profile says nothing and its schema does not know, such as what a configuration says. */
export interface ImpliedDefaults {
  /** By format: the token types of `accept.subject`, `accept.actor` and of an embedded token. */
  readonly types: (format: string) => readonly string[] | undefined
  readonly audience?: readonly string[] | undefined
  /** Seconds. */
  readonly clockSkew?: number | undefined
}

/**
 * The text of a profile with every default written out, each marked `# default`. Comments and order stay; maps are
 * written a member a line, so that each can be seen.
 *
 * The profile is one that can be loaded: see {@link loadProfiles}. What is written means the same.
 */
export function expandProfile(
  text: string,
  catalog: Pick<Catalog, 'stages' | 'codecs' | 'grants'>,
  implied: ImpliedDefaults,
): string {
  const document = parseDocument(text, { version: '1.2', schema: 'core' })
  const schema = profileSchema(catalog) as Schema
  const root = document.contents
  if (!isMap(root)) return text
  addEncoding(document, catalog)
  complete(document, root, withoutEncodings(schema, catalog, formatIn(document)))
  for (const role of ['subject', 'actor']) {
    const tokens = document.getIn(['accept', role])
    if (isMap(tokens)) imply(document, tokens, implied)
  }
  asBlocks(document)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

interface Schema {
  readonly default?: unknown
  readonly properties?: { readonly [name: string]: Schema }
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
}

const formatIn = (document: Document): string | undefined => {
  const stages = document.get('stages')
  for (const item of isSeq(stages) ? stages.items : []) {
    const format = isMap(item) ? item.getIn(['format', 'to']) : undefined
    if (typeof format === 'string') return format
  }
  return undefined
}

/** Encodings have defaults too: where the profile has no such stage, it gets one, behind `format`. */
function addEncoding(document: Document, { codecs }: Pick<Catalog, 'codecs'>): void {
  const stages = document.get('stages')
  const codec = codecs.find(({ format }) => format === formatIn(document))
  if (!isSeq(stages) || codec === undefined) return
  const defaults = Object.values(codec.encodings).filter((option) => (option as Schema).default !== undefined)
  const has = (name: string) => stages.items.findIndex((item) => isMap(item) && item.has(name))
  if (defaults.length === 0 || has('encoding') !== -1) return
  stages.items.splice(has('format') + 1, 0, document.createNode({ encoding: {} }))
}

/** The schema with the encodings of one format: another's options would be refused. */
function withoutEncodings(schema: Schema, { codecs }: Pick<Catalog, 'codecs'>, format: string | undefined): Schema {
  const others = codecs.filter((codec) => codec.format !== format).flatMap(({ encodings }) => Object.keys(encodings))
  const own = codecs.find((codec) => codec.format === format)?.encodings ?? {}
  const stages = schema.properties?.['stages']
  const items = stages?.items?.properties ?? {}
  const { properties: options = {}, ...encoding } = items['encoding'] ?? {}
  const kept = Object.entries(options).filter(([name]) => !others.includes(name) || name in own)
  const properties = { ...items, encoding: { ...encoding, properties: Object.fromEntries(kept) } }
  return {
    ...schema,
    properties: { ...schema.properties, stages: { ...stages, items: { ...stages?.items, properties } } },
  }
}

/** Adds what is absent and has a default, all the way down. */
function complete(document: Document, node: unknown, schema: Schema): void {
  if (isSeq(node)) {
    for (const item of node.items) complete(document, item, schema.items ?? {})
    return
  }
  if (!isMap(node)) return
  const schemas = [schema, ...(schema.anyOf ?? [])]
  for (const [name, option] of schemas.flatMap(({ properties = {} }) => Object.entries(properties))) {
    if (node.has(name)) complete(document, node.get(name, true), { ...option, ...itemsOf(option) })
    else if (option.default !== undefined) put(document, node, name, option.default)
  }
}

/** Of a list of alternatives, the items of the one that has some. */
const itemsOf = ({ anyOf = [] }: Schema): Pick<Schema, 'items'> => {
  const items = anyOf.find((one) => one.items !== undefined)?.items
  return items === undefined ? {} : { items }
}

function imply(document: Document, tokens: YAMLMap, { types, audience, clockSkew }: ImpliedDefaults): void {
  const format = String(tokens.get('format'))
  const certificate = format === 'x509'
  const read = defaultTypes(types(format) ?? [])
  const implied: readonly (readonly [string, unknown])[] = [
    // Named, `access_token` would mean those of other issuers too, which no default does.
    ['types', read.includes(tokenTypes.accessToken) ? undefined : read],
    // A certificate is for nobody in particular.
    ['audience', certificate ? undefined : audience],
    ['clock_skew', clockSkew],
  ]
  for (const [name, value] of implied) if (value !== undefined && !tokens.has(name)) put(document, tokens, name, value)
}

function put(document: Document, node: YAMLMap, name: string, value: unknown): void {
  const pair = document.createPair(name, value)
  mark(pair.value)
  node.items.push(pair)
}

/** Behind what was added, on its line. */
function mark(value: unknown): void {
  if (isMap(value)) for (const item of value.items) mark(item.value)
  else if (isNode(value)) value.comment = ' default'
}

/** A member a line, and lists of plain values in one. */
function asBlocks(document: Document): void {
  const visit = (node: unknown): void => {
    if (isMap(node)) node.flow = false
    if (isSeq(node)) node.flow = node.items.every(isScalar)
    for (const item of isMap(node) || isSeq(node) ? node.items : []) visit(isPair(item) ? item.value : item)
  }
  visit(document.contents)
}
