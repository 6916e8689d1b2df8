import type { ExpressionVariables } from '../core/stage.ts'
import type { Value } from '../core/value.ts'
import { isMap } from '../core/value.ts'
import { wrongOption } from './options.ts'

/** Reads one value out of the variables; `undefined` when it is not there. */
export type Path = (variables: ExpressionVariables) => Value | undefined

const ROOTS = ['claims', 'subject', 'actor', 'client', 'request', 'proof', 'now'] as const
type Root = (typeof ROOTS)[number]

const isRoot = (name: string): name is Root => ROOTS.some((root) => root === name)

const STEP = /\.([A-Za-z_][A-Za-z0-9_-]*)|\["([^"\\]+)"\]/y

/**
 * A path into the variables: `subject.email`, `request.scope`, `subject["kubernetes.io"].namespace`.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`
 */
export function pathOf(text: string, at: string): Path {
  const root = /^[a-z]+/.exec(text)?.[0] ?? ''
  if (!isRoot(root)) throw wrongOption(at, `a path that begins with one of ${ROOTS.join(', ')}`)
  const names: string[] = []
  STEP.lastIndex = root.length
  for (let last = root.length; last < text.length; last = STEP.lastIndex) {
    const [, plain, quoted] = STEP.exec(text) ?? []
    const name = plain ?? quoted
    if (name === undefined) throw wrongOption(at, `.name or ["name"] after ${text.slice(0, last)}`)
    names.push(name)
  }
  if ((root === 'now') !== (names.length === 0)) throw wrongOption(at, 'a path to one value, such as subject.email')
  return (variables) => {
    let value: Value | undefined = variables[root]
    for (const name of names) {
      if (!isMap(value) || !Object.hasOwn(value, name)) return undefined
      value = value[name]
    }
    return value
  }
}
