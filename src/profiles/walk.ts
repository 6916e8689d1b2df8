/** What of a JSON Schema is looked at by who walks a document along it. */
export interface Schema {
  readonly properties?: { readonly [name: string]: Schema }
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly const?: unknown
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly maximum?: number
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
}

/** A schema, and what it is composed of. */
export const alternatives = (schema: Schema): readonly Schema[] => [
  schema,
  ...[schema.anyOf, schema.oneOf, schema.allOf].flatMap((group) => group ?? []).flatMap(alternatives),
]

/** The schemas of a member, each with what it is composed of. */
export const membersOf = (schemas: readonly Schema[], name: string): readonly Schema[] =>
  schemas
    .flatMap(({ properties = {}, additionalProperties: rest }): readonly Schema[] => {
      const own = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (own !== undefined) return [own]
      return typeof rest === 'object' ? [rest] : []
    })
    .flatMap(alternatives)
