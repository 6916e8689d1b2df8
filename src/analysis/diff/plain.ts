import { isDeepStrictEqual } from 'node:util'

/** What of a JSON Schema says which defaults there are. */
export interface DefaultsSchema {
  readonly default?: unknown
  readonly properties?: { readonly [name: string]: DefaultsSchema }
  readonly items?: DefaultsSchema
  readonly anyOf?: readonly DefaultsSchema[]
}

/**
 * A value without the members that are what they would be anyway, all the way down: written out or not, a default is the
 * same. Places in it are those of the value, since lists keep their length.
 */
export function withoutDefaults(value: unknown, schema: DefaultsSchema): unknown {
  const schemas = [schema, ...(schema.anyOf ?? [])]
  if (Array.isArray(value)) {
    const items = schemas.find((one) => one.items !== undefined)?.items ?? {}
    return value.map((item: unknown) => withoutDefaults(item, items))
  }
  if (typeof value !== 'object' || value === null) return value
  const options = new Map(schemas.flatMap(({ properties = {} }) => Object.entries(properties)))
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]): readonly [string, unknown][] => {
      const option = options.get(name)
      if (option === undefined) return [[name, member]]
      const rest = withoutDefaults(member, option)
      const usual = option.default !== undefined && isDeepStrictEqual(withoutDefaults(option.default, option), rest)
      return usual ? [] : [[name, rest]]
    }),
  )
}
