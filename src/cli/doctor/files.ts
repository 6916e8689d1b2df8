import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { modeFault, modeOf, processSecretsOf, type SecretFile, secretFilesOf } from '../../config/secret-files.ts'
import type { Configuration } from '../../config/types.ts'
import { DragomanError } from '../../core/errors.ts'
import { type Certificate, NO_EXPIRY, parseCertificate } from '../../wire/certificate.ts'
import { nameText } from '../../wire/name.ts'
import { parsePem } from '../../wire/pem.ts'
import { instant } from '../time.ts'
import { type Checked, not, ok } from './finding.ts'

/** Days before its end when a certificate is spoken of: time for a person to act. */
const NEAR_END = 30

/** Files with keys and secrets, and those that are written. */
export function fileChecks(configuration: Configuration): readonly Checked[] {
  const { file, tenants } = configuration
  const folder = dirname(resolve(file))
  const secrets = [...processSecretsOf(configuration), ...tenants.flatMap(secretFilesOf)]
  const audits = tenants.flatMap(({ audit }) => audit?.file ?? [])
  return [
    ...secrets.map((one) => secretCheck(one, resolve(folder, one.file))),
    ...audits.map((name) => auditCheck(name, resolve(folder, name))),
  ]
}

function secretCheck({ file, holds }: SecretFile, path: string): Checked {
  const what = `file ${file}`
  if (!existsSync(path)) return not('wrong', what, `the ${holds} is not there`, 'put it there, or name another file')
  if (!may(path, constants.R_OK)) {
    return not('wrong', what, `the ${holds} cannot be read`, 'give the file to the user of the process')
  }
  const fault = modeFault(modeOf(path))
  if (fault === undefined) return ok(what, `the ${holds}, for its owner only`)
  return not('warning', what, `the ${holds}: ${fault.replace(/; .*/, '')}`, `chmod 600 ${file}`)
}

function auditCheck(name: string, path: string): Checked {
  const what = `file ${name}`
  const folder = dirname(path)
  if (!existsSync(folder))
    return not('wrong', what, 'the folder of the audit file is not there', `mkdir -p ${dirname(name)}`)
  if (existsSync(path) ? may(path, constants.W_OK) : may(folder, constants.W_OK))
    return ok(what, 'the audit file can be written')
  return not('wrong', what, 'the audit file cannot be written', 'let the user of the process write there')
}

function may(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return statSync(path) !== undefined
  } catch {
    return false
  }
}

/** Certificates of listeners and of signing keys. */
export function certificateChecks({ file, listeners, tenants }: Configuration, now: number): readonly Checked[] {
  const folder = dirname(resolve(file))
  const files = [
    ...listeners.flatMap(({ tls, port }) => (tls ? [[`listener ${port}`, tls.certificate] as const] : [])),
    ...tenants.flatMap(({ keys }) =>
      keys.flatMap(({ name, certificates }) =>
        certificates === undefined ? [] : [[`key ${name}`, certificates] as const],
      ),
    ),
  ]
  return files.flatMap(([owner, name]) =>
    certificatesIn(resolve(folder, name)).map((certificate) =>
      endCheck(`certificate of ${owner}`, certificate, now, 'have a new one issued, put it in its place, and reload'),
    ),
  )
}

/** What cannot be read is told by the check of the configuration. */
function certificatesIn(path: string): readonly Certificate[] {
  try {
    return parsePem(readFileSync(path, 'latin1'))
      .filter(({ label }) => label === 'CERTIFICATE')
      .map(({ der }) => parseCertificate(der))
  } catch (error) {
    if (error instanceof DragomanError || (error instanceof Error && 'code' in error)) return []
    throw error
  }
}

/** Whether a certificate ends soon, or has ended. */
export function endCheck(what: string, { notAfter, subject }: Certificate, now: number, remedy: string): Checked {
  const until = `${nameText(subject) || 'without a subject'}, until ${instant(notAfter, now)}`
  if (notAfter < now) return not('wrong', what, `${until}: it has expired`, remedy)
  if (notAfter === NO_EXPIRY || notAfter - now > NEAR_END * 86_400) return ok(what, until)
  return not('warning', what, until, remedy)
}
