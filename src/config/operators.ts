import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { DragomanError } from '../core/errors.ts'
import { placeText } from '../core/place.ts'
import type { Files } from './files.ts'
import { variableThatIsSet } from './secrets.ts'
import type { Configuration, ListenerEntry } from './types.ts'

// What is behind it says more than any client may hear: it is to be made by a machine, not by a person.
const MIN_SECRET_CHARACTERS = 32

/**
 * The digests of the secrets of operators' listeners, by the index of the listener. A listener for operators without a
 * secret that can be had stops the start: it is never served openly.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION`
 */
export function operatorSecrets(
  configuration: Configuration,
  files: Files,
  env: { readonly [name: string]: string | undefined },
): ReadonlyMap<number, Uint8Array> {
  const digests = new Map<number, Uint8Array>()
  for (const [index, { operators }] of configuration.listeners.entries()) {
    if (operators === undefined) continue
    const secret = secretOf(operators, index, configuration, { files, env })
    digests.set(index, createHash('sha256').update(secret).digest())
  }
  return digests
}

function secretOf(
  { secret_file: file, secret_env: name }: NonNullable<ListenerEntry['operators']>,
  index: number,
  configuration: Configuration,
  { files, env }: { readonly files: Files; readonly env: { readonly [name: string]: string | undefined } },
): string {
  const option = file === undefined ? 'secret_env' : 'secret_file'
  const wrong = (expected: string, cause?: unknown) =>
    refusal(configuration, `listeners[${index}].operators.${option}`, expected, cause)
  let secret: string | undefined
  try {
    // An editor ends a file with a line break, which is no part of the secret.
    secret =
      file === undefined
        ? env[name ?? '']
        : files
            .read(resolve(dirname(configuration.file), file))
            .toString('utf8')
            .replace(/\r?\n$/, '')
  } catch (cause) {
    throw wrong('a file that can be read', cause)
  }
  if (secret === undefined) throw wrong(variableThatIsSet(name ?? ''))
  if (secret.length < MIN_SECRET_CHARACTERS) throw wrong(`a secret of at least ${MIN_SECRET_CHARACTERS} characters`)
  return secret
}

function refusal(
  { file, tenants, placesFor }: Configuration,
  path: string,
  expected: string,
  cause: unknown,
): DragomanError {
  const [tenant] = tenants
  const place = tenant && placesFor?.(tenant).origin.place(path)
  const where = place === undefined ? file : placeText(place)
  return new DragomanError('ERR_PROFILE_OPTION', {
    cause,
    message: `${where}: ${path}: expected ${expected}`,
    detail: { file, path, expected, ...(place && { line: place.line, column: place.column }) },
  })
}
