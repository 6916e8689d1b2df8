import type { AcceptanceOptions } from '../core/acceptance.ts'
import type { Entry } from './document.ts'
import type { Report } from './report.ts'

/**
 * Reports an actor token that is taken and leaves no trace in the output: to the client that looks like delegation, and it
 * is none. And the reverse: a stage that reads an actor token where none is taken.
 *
 * What a stage of one's own does is not known: one that runs for each exchange counts as one that uses it.
 */
export function checkActor(actor: AcceptanceOptions | undefined, entries: readonly Entry[], report: Report): void {
  if (actor === undefined) {
    for (const { stage, options, when, path } of entries) {
      if (!BUILT_IN.has(stage.name)) continue
      const message = 'uses the actor token, and `accept.actor` does not take one'
      if (uses(options) || asks(options)) report.add({ path, message, code: 'ERR_PROFILE_OPTION', atName: true })
      if (when !== undefined && readsActor(when)) {
        report.add({ path: [...path.slice(0, 2), 'when'], message, code: 'ERR_PROFILE_OPTION', atName: true })
      }
    }
    return
  }
  const used = entries.some(({ stage, options }) =>
    BUILT_IN.has(stage.name) ? uses(options) : stage.phase === 'meaning',
  )
  if (used) return
  report.add({
    path: ['accept', 'actor'],
    message: 'an actor token is taken and no stage uses it; add `embedding: { act: { from: actor_token } }`',
    code: 'ERR_PROFILE_OPTION',
    atName: true,
  })
}

/** The built-in stages that say what the token says: what they make of an actor is known. */
export const BUILT_IN: ReadonlySet<string> = new Set([
  'subject',
  'context',
  'embedding',
  'validity',
  'sender_constraint',
])

// As a variable: not a member of another (`subject.actor`), not part of a name, not the beginning of a text.
const VARIABLE = /(?<![\w."'-])actor\s*[.[]/
const readsActor = (text: string): boolean => VARIABLE.test(text)

/** Options of the built-in stages by which something of the actor gets into the output. */
function uses(options: unknown): boolean {
  const { actor, act, rebind, copy, set, template, cel, spiffe } = members(options)
  const { from } = members(act)
  if (actor === 'actor_token' || from === 'actor_token' || rebind === 'actor') return true
  const texts = [
    ...Object.values(members(copy)),
    ...Object.values(members(set)).map((value) => members(value)['cel']),
    ...placeholdersIn(template),
    ...placeholdersIn(members(spiffe)['path']),
    cel,
  ]
  return texts.some((text) => typeof text === 'string' && readsActor(text))
}

/** Options that read the actor to decide, and write nothing. */
function asks(options: unknown): boolean {
  const { conditions } = members(options)
  return (
    Array.isArray(conditions) &&
    conditions.some((condition: unknown) =>
      readsActor(typeof condition === 'string' ? condition : String(members(condition)['expression'])),
    )
  )
}

const placeholdersIn = (template: unknown): readonly string[] =>
  typeof template === 'string' ? [...template.matchAll(/\{([^{}]*)\}/g)].map(([, inside = '']) => inside) : []

const members = (value: unknown): { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
