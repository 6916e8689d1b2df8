import { DragomanError } from '../core/errors.ts'

/** What is wrong with an option: where, and what would be right. */
export const wrong = (path: string, expected: string): DragomanError =>
  new DragomanError('ERR_PROFILE_OPTION', { detail: { path, expected } })

/**
 * The members of an object that a program gave us. JavaScript checks no names: one that is misspelt, and perhaps names a
 * restriction, must not be passed over.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`
 */
export function membersOf(
  value: unknown,
  known: readonly string[],
  path: string,
): { readonly [name: string]: unknown } {
  if (!isObject(value)) throw wrong(path, 'an object')
  for (const name of Object.keys(value)) if (!known.includes(name)) throw wrong(`${path}.${name}`, known.join(', '))
  return value
}

export const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One text or a list of them, each of this form. @throws {@link DragomanError} `ERR_PROFILE_OPTION` */
export function textsOf(value: unknown, path: string, form: RegExp, expected: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.map((text) => {
    if (typeof text !== 'string' || !form.test(text)) throw wrong(path, expected)
    return text
  })
}

/** RFC 6749 §3.3: a scope token. */
export const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/
