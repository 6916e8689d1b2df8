import { dirname, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { DragomanError } from '../core/errors.ts'
import type { ListenerSetting } from '../gateway/listen.ts'
import { tlsOptions } from '../gateway/tls.ts'
import { type Path, pathText } from '../profiles/problem.ts'
import { type Files, onDisk } from './files.ts'
import type { Configuration, ListenerEntry } from './types.ts'

/**
 * The listeners of a configuration, their certificates and keys read.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_OPTION` for a file that cannot be read, or a certificate that does not go with
 * its key
 */
export function listenersOf(
  { file, listeners, source }: Pick<Configuration, 'file' | 'listeners' | 'source'>,
  files: Files = onDisk,
): readonly ListenerSetting[] {
  const folder = dirname(resolve(file))
  const refuse = (path: Path, expected: string, cause: unknown): DragomanError =>
    source === undefined
      ? new DragomanError('ERR_PROFILE_OPTION', { cause, detail: { file, path: pathText(path), expected } })
      : source.refuse([{ path, message: `expected ${expected}`, code: 'ERR_PROFILE_OPTION', cause }])
  return listeners.map((entry, index) => {
    const { host = '127.0.0.1', port, operations, operators, forward_auth: forwardAuth, tls } = entry
    const place = { host, port, operations, forwardAuth, ...(operators && { operators: index }) }
    const text = (member: keyof NonNullable<ListenerEntry['tls']>): string | undefined => {
      const name = tls?.[member]
      if (name === undefined) return undefined
      try {
        return files.read(resolve(folder, name)).toString('utf8')
      } catch (cause) {
        throw refuse(['listeners', index, 'tls', member], `a file that can be read: ${name}`, cause)
      }
    }
    if (tls === undefined) return place
    const setting = { certificate: text('certificate') ?? '', key: text('key') ?? '', clientCa: text('client_ca') }
    try {
      createSecureContext(tlsOptions(setting))
    } catch (cause) {
      throw refuse(['listeners', index, 'tls'], wantedOf(cause), cause)
    }
    return { ...place, tls: setting }
  })
}

const wantedOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause && cause.code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH'
    ? 'the private key of the certificate; this is the key of another one'
    : 'a certificate and its private key, both in PEM'
