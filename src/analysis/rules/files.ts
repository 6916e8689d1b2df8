import { dirname, resolve } from 'node:path'
import { modeFault, processSecretsOf, secretFilesOf } from '../../config/secret-files.ts'
import type { Hit, LintRule, Surroundings } from '../finding.ts'
import type { Reading } from '../reading.ts'

/** Rules about secrets and the doors of the process. */
export const fileRules: readonly LintRule[] = [
  {
    id: 'LINT-701',
    name: 'readable-secret',
    finds: 'A file with a key or a secret can be read by group or others.',
    why: 'Whoever can read it can sign as this gateway, or authenticate as that client.',
    cure: '`chmod 600` the file, and give it to the user of the process.',
    look: readable,
  },
  {
    id: 'LINT-702',
    name: 'inline-secret',
    finds: 'A secret stands in the configuration in plain.',
    why: 'It is in every copy of the file: in version control, in a backup, in a ticket.',
    cure: 'Use `client_secret_sha256` or `client_secret_file`; for a keyed hash `file` or `env`.',
    look: ({ source, tenants }) =>
      source === undefined
        ? []
        : tenants.flatMap(({ entry, base }) => [
            ...(entry?.clients ?? []).flatMap(({ client_secret: secret }, index) =>
              secret === undefined
                ? []
                : [{ source, path: [...base, 'clients', index, 'client_secret'], says: 'in plain', atName: true }],
            ),
            ...(entry?.secrets ?? []).flatMap(({ value }, index) =>
              value === undefined
                ? []
                : [{ source, path: [...base, 'secrets', index, 'value'], says: 'in plain', atName: true }],
            ),
          ]),
  },
  {
    id: 'LINT-703',
    name: 'plain-listener',
    finds: 'A listener takes requests without TLS from other machines.',
    why: 'Tokens and client secrets go over the network in the clear.',
    cure: 'Give it `tls`; or bind it to loopback, with a proxy in front of it.',
    look: ({ configuration, source }) =>
      (configuration?.listeners ?? []).flatMap(({ host = '127.0.0.1', tls }, index): readonly Hit[] =>
        source === undefined || tls !== undefined || ['127.0.0.1', '::1', 'localhost'].includes(host)
          ? []
          : [{ source, path: ['listeners', index, 'host'], says: 'reached from elsewhere, without TLS' }],
      ),
  },
]

function readable({ configuration, source, tenants }: Reading, { mode }: Surroundings): readonly Hit[] {
  if (configuration === undefined || source === undefined) return []
  const folder = dirname(resolve(configuration.file))
  const files = [
    ...processSecretsOf(configuration),
    ...tenants.flatMap(({ entry, base }) =>
      secretFilesOf(entry ?? {}).map((one) => ({ ...one, path: [...base, ...one.path] })),
    ),
  ]
  return files.flatMap(({ file, path }): readonly Hit[] => {
    const fault = modeFault(mode(resolve(folder, file)))
    return fault === undefined ? [] : [{ source, path, says: fault }]
  })
}
