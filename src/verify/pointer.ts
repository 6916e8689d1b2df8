/** A member of a JSON document: a plain name is one of the outermost object, a text that begins with `/` a JSON Pointer. */
export type Pointer = readonly string[]

/** @returns `undefined` for a text that is neither (RFC 6901 §3) */
export function pointerOf(text: string): Pointer | undefined {
  if (text === '') return undefined
  if (!text.startsWith('/')) return [text]
  if (/~(?![01])/.test(text)) return undefined
  return text
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
}

// RFC 6901 §4; of more items than this nobody made a rule.
const INDEX = /^(?:0|[1-9][0-9]{0,5})$/

/** What is there; `undefined`: nothing. `null` is something. What an object inherits is not there. */
export const at = (document: unknown, pointer: Pointer): unknown =>
  pointer.reduce<unknown>((value, name) => {
    if (typeof value !== 'object' || value === null || (Array.isArray(value) && !INDEX.test(name))) return undefined
    return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined
  }, document)
