import { DragomanError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import type { ScopeTable } from '../core/stage.ts'
import type { Draft, Note } from '../core/token.ts'
import { wrongOption } from './options.ts'

export interface ScopeOptions {
  readonly allow?: readonly string[]
  readonly default?: 'subject' | readonly string[]
  readonly map?: { readonly [from: string]: string | readonly string[] }
  readonly strict?: boolean
  readonly danger_widen_scope?: true
}

/**
 * The scope of the output: what was asked for, and the subject token has, and the profile allows. Nothing more.
 *
 * Names are those of the output; `map` says which of them a scope of the subject token stands for. When nothing was asked
 * for it is the default, cut in the same way; without a default there is none, since nothing is not everything. A subject
 * token without any scope has what `allow` lists, and nothing without `allow`.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SCOPE` when something asked for is cut and `strict` is on, and always when
 * nothing is left of what was asked for: an answer without scope would say that all of it was granted (RFC 6749 §5.1)
 */
export function scopeIn(options: ScopeOptions): {
  readonly table: ScopeTable
  narrow(draft: Draft, exchange: Exchange): Draft
} {
  const { allow, strict = false, danger_widen_scope: widen = false } = options
  if (widen && allow === undefined) throw wrongOption('scope.allow', 'a list, since danger_widen_scope is on')
  const table = Object.entries(options.map ?? {}).map(([from, to]): [string, readonly string[]] => [
    from,
    typeof to === 'string' ? [to] : to,
  ])
  const targets = new Map(table)
  const allowed = allow === undefined ? undefined : new Set(allow)
  const narrow = (draft: Draft, exchange: Exchange): Draft => {
    const { request, subject } = exchange
    const held = subject.validity.scope
    const available = new Set(widen || held === undefined ? allow : translate(held, targets))
    const grantable = (name: string): boolean => available.has(name) && (allowed === undefined || allowed.has(name))
    const wanted = request.scope ?? (options.default === 'subject' ? [...available] : options.default) ?? []
    const most = settledScope(draft, exchange)
    const granted = [...new Set(wanted)].filter((name) => grantable(name) && (most?.includes(name) ?? true))
    if (request.scope !== undefined && (strict || granted.length === 0) && granted.length < new Set(wanted).size) {
      throw new DragomanError('ERR_PROFILE_SCOPE', { detail: { expected: [...available].filter(grantable) } })
    }
    return {
      ...draft,
      validity: { ...draft.validity, scope: granted.length > 0 ? granted : undefined },
      notes: [...draft.notes, ...notesOn(granted, held ?? [], targets)],
    }
  }
  return { table: targets, narrow }
}

/** The scope that an earlier stage has decided on, which this one can only narrow; `undefined`: none has. */
function settledScope({ validity }: Draft, { request, subject }: Exchange): readonly string[] | undefined {
  const { scope: held } = subject.validity
  // What a draft starts with: asked for and held, in the names of the subject token.
  const start = held === undefined ? undefined : request.scope?.filter((name) => held.includes(name))
  const untouched = validity.scope?.length === start?.length && validity.scope?.every((name) => start?.includes(name))
  return untouched || validity.scope === start ? undefined : (validity.scope ?? [])
}

const translate = (held: readonly string[], targets: ScopeTable): readonly string[] =>
  held.flatMap((name) => targets.get(name) ?? [name])

/** For each granted scope the one of the subject token that it stands for, where that has another name. */
const notesOn = (granted: readonly string[], held: readonly string[], targets: ScopeTable): readonly Note[] =>
  held.flatMap((from) =>
    (targets.get(from) ?? [])
      .filter((to) => granted.includes(to))
      .map((to): Note => ({ claim: 'scope', became: 'mapped', from, to })),
  )
