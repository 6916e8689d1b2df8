import { KeyObject } from 'node:crypto'
import { inspect } from 'node:util'

/**
 * Everything that can be reached from a value: own properties of any kind, what getters give, prototypes, entries of
 * maps and sets. Not what only a closure holds: no code can reach that.
 */
export function reachable(value: unknown): ReadonlySet<unknown> {
  const seen = new Set<unknown>()
  const open: unknown[] = [value]
  while (open.length > 0) {
    const next = open.pop()
    if ((typeof next !== 'object' && typeof next !== 'function') || next === null) {
      seen.add(next)
      continue
    }
    if (seen.has(next) || PRIMORDIALS.has(next)) continue
    seen.add(next)
    open.push(Object.getPrototypeOf(next))
    // Bytes are looked at as bytes; one by one they are only numbers.
    if (next instanceof Uint8Array) {
      open.push(next.buffer)
      continue
    }
    for (const name of Reflect.ownKeys(next)) {
      try {
        open.push(Reflect.get(next, name, next))
      } catch {
        // A getter of a prototype, without the object that it is for.
      }
    }
    if (next instanceof Map) open.push(...next.keys(), ...next.values())
    if (next instanceof Set) open.push(...next)
  }
  return seen
}

const PRIMORDIALS = new Set<unknown>([
  Object.prototype,
  Function.prototype,
  Array.prototype,
  Object,
  Function,
  Array,
  Uint8Array.prototype,
  Buffer.prototype,
  Buffer,
  ArrayBuffer.prototype,
  String.prototype,
])

/** Private or secret keys among what can be reached. */
export const privateKeysIn = (value: unknown): readonly KeyObject[] =>
  [...reachable(value)].filter((one): one is KeyObject => one instanceof KeyObject && typeOf(one) !== 'public')

/** `public` too for the prototype, which is no key. */
function typeOf(key: KeyObject): string {
  try {
    return key.type
  } catch {
    return 'public'
  }
}

/** Whether any text or any memory that can be reached, or what inspection shows, has one of these pieces in it. */
export function shows(value: unknown, pieces: readonly (string | Uint8Array)[]): boolean {
  const texts = [inspect(value, { depth: 20, showHidden: true, getters: true, maxArrayLength: null })]
  const memory: Buffer[] = []
  for (const one of reachable(value)) {
    if (typeof one === 'string') texts.push(one)
    if (one instanceof ArrayBuffer) memory.push(Buffer.from(one))
  }
  return pieces.some((piece) =>
    typeof piece === 'string'
      ? texts.some((text) => text.includes(piece)) || memory.some((bytes) => bytes.includes(piece))
      : memory.some((bytes) => bytes.includes(piece)),
  )
}
