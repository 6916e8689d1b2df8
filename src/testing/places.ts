import type { AuditRecord } from '../core/audit.ts'
import { type Path, pathSteps, problemsOf } from '../profiles/problem.ts'
import type { Source } from '../profiles/source.ts'

/** Where something stands in a file, with the line and a caret below it. */
export function placeIn(source: Source, path: Path, message: string): string {
  return problemsOf(source.refuse([{ path, message }]))?.join('\n') ?? message
}

/** Where the rule stands in a profile that refused an exchange; `undefined`: nowhere, it was no rule of the profile. */
export function rulePath({ result, code, trace }: AuditRecord): Path | undefined {
  const last = trace.at(-1)
  if (result !== 'refused' || last === undefined) return undefined
  if (last.path !== undefined) return pathSteps(last.path)
  const option = OPTIONS[code ?? '']
  switch (last.step) {
    case 'verify subject':
      return ['accept', 'subject', ...(option === undefined ? [] : [option])]
    case 'verify actor':
      return ['accept', 'actor', ...(option === undefined ? [] : [option])]
    case 'select':
    case 'target':
      return code?.startsWith('ERR_PROFILE_TARGET') ? ['accept', 'targets'] : ['accept']
    case 'no loss':
      return ['must_keep']
    case 'never wider':
      return ['stages']
    default:
      return undefined
  }
}

/** The option of `accept.subject` by which a token was refused. Where it is not there, its default did it. */
const OPTIONS: { readonly [code: string]: string } = {
  ERR_TOKEN_AUDIENCE: 'audience',
  ERR_TOKEN_TOO_OLD: 'max_age',
  ERR_TOKEN_ALGORITHM: 'algorithms',
  ERR_TOKEN_AUTHENTICATION: 'authentication',
  ERR_TOKEN_KIND: 'kind',
  ERR_TRUST_ISSUER: 'issuers',
  ERR_PROFILE_REQUIRED: 'require',
}
