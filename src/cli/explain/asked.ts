import { readFileSync } from 'node:fs'
import type { Grant } from '../../core/grant.ts'
import { TOKEN_EXCHANGE, tokenTypes } from '../../core/types.ts'
import { type Io, UsageError } from '../io.ts'

/** What the command line says of a request. Tokens come from files or standard input, never from the line itself. */
export interface Asked {
  readonly request?: string | undefined
  readonly 'subject-token'?: string | undefined
  readonly 'subject-token-type'?: string | undefined
  readonly 'actor-token'?: string | undefined
  readonly 'actor-token-type'?: string | undefined
  readonly 'requested-token-type'?: string | undefined
  readonly audience?: readonly string[] | undefined
  readonly resource?: readonly string[] | undefined
  readonly scope?: string | undefined
  readonly details?: string | undefined
  readonly context?: string | undefined
  readonly csr?: string | undefined
  readonly dpop?: string | undefined
  readonly certificate?: string | undefined
}

/**
 * The form of a request as a client would send it; `request` gives what no option says. Of a grant the token is its
 * `assertion` (RFC 7521 section 4.1). Without a grant it is a token exchange.
 *
 * @throws {@link UsageError}
 */
export async function formOf(asked: Asked, io: Pick<Io, 'input'>, grant?: Grant): Promise<URLSearchParams> {
  const form =
    asked.request === undefined ? new URLSearchParams() : formIn(asked.request, await textOf(asked.request, io))
  const put = (name: string, values: string | readonly string[] | undefined) => {
    if (values === undefined) return
    form.delete(name)
    for (const value of [values].flat()) form.append(name, value)
  }
  if (grant !== undefined) put('grant_type', grant.type)
  if (!form.has('grant_type')) put('grant_type', TOKEN_EXCHANGE)
  const there = form.has('subject_token') || form.has('assertion')
  const subject = asked['subject-token'] ?? (there ? undefined : '-')
  const name = grant?.role === 'grant' || form.has('assertion') ? 'assertion' : 'subject_token'
  if (subject !== undefined) put(name, (await textOf(subject, io)).trim())
  const actor = asked['actor-token']
  if (actor !== undefined) put('actor_token', (await textOf(actor, io)).trim())
  put('subject_token_type', asked['subject-token-type'] ?? guessed(form, 'subject_token'))
  put('actor_token_type', asked['actor-token-type'] ?? guessed(form, 'actor_token'))
  put('requested_token_type', asked['requested-token-type'])
  put('audience', asked.audience)
  put('resource', asked.resource)
  put('scope', asked.scope)
  put('request_details', asked.details)
  put('request_context', asked.context)
  for (const name of ['csr', 'dpop', 'certificate'] as const) {
    const file = asked[name]
    if (file !== undefined) put(name, (await textOf(file, io)).trim())
  }
  return form
}

/** A form, or a JSON object with the same names; `subject_token_file` names a file in place of a token. */
function formIn(name: string, text: string): URLSearchParams {
  const form = text.trimStart().startsWith('{') ? formOfJson(name, text) : new URLSearchParams(text.trim())
  for (const token of ['subject_token', 'assertion', 'actor_token', 'csr', 'dpop', 'certificate']) {
    const file = form.get(`${token}_file`)
    if (file === null) continue
    form.delete(`${token}_file`)
    form.set(token, readText(file).trim())
  }
  return form
}

function formOfJson(name: string, text: string): URLSearchParams {
  const form = new URLSearchParams()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UsageError(`${name} is neither JSON nor a form`)
  }
  for (const [parameter, given] of Object.entries(Object(value) as object)) {
    for (const one of [given as unknown].flat()) {
      if (typeof one !== 'string') throw new UsageError(`${name}: ${parameter} is to be text, or a list of texts`)
      form.append(parameter, one)
    }
  }
  return form
}

/** What is to be said of a type that nobody named: without dots and armour it is a CWT, or nothing at all. */
export const notesOnType = (asked: Asked, form: URLSearchParams): readonly string[] =>
  asked.request === undefined &&
  asked['subject-token-type'] === undefined &&
  form.get('subject_token_type') === tokenTypes.cwt
    ? ['the token is neither a JWT nor PEM, and was taken for a CWT: --subject-token-type says what it is']
    : []

/** The type of a token by its form, where nobody says it: only the plain ones can be told apart so. */
function guessed(form: URLSearchParams, name: string): string | undefined {
  const token = form.get(name)
  if (token === null || form.has(`${name}_type`)) return undefined
  if (token.startsWith('-----BEGIN')) return tokenTypes.x509
  return token.includes('.') ? tokenTypes.jwt : tokenTypes.cwt
}

const textOf = async (file: string, io: Pick<Io, 'input'>): Promise<string> => {
  if (file !== '-') return readText(file)
  const text = await io.input()
  if (text.trim() === '') throw new UsageError('a token is expected on standard input')
  return text
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    throw new Error(`${file} cannot be read`)
  }
}
