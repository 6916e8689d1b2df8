import { parseArgs } from 'node:util'
import { auditToMemory } from '../audit/index.ts'
import { builtin, extended } from '../catalog.ts'
import { createGateway } from '../compose.ts'
import { loadAlone } from '../config/alone.ts'
import type { Extension } from '../core/catalog.ts'
import { DragomanError } from '../core/errors.ts'
import { describeFailure, exitOf } from './describe.ts'
import { type Command, EXTENSION, exit, type Io, UsageError } from './io.ts'

/** `dragoman validate`: everything that a start would check, without a start. */
export const validateCommand: Command = {
  name: 'validate',
  summary: 'checks a configuration and its profiles, keys and certificates as a start would, and starts nothing',
  usage: '--config FILE | PROFILE... [--json]',
  example: 'dragoman validate --config dragoman.yaml',
  options: [
    ['--config FILE', 'the configuration'],
    ['PROFILE', 'a profile, by itself: issuers, clients and keys that it names are taken to be there'],
    EXTENSION,
    ['--json', 'prints one JSON object: tenants, profiles with their digests, warnings'],
  ],
  async run(args, io, more) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { config: { type: 'string', short: 'c' }, json: { type: 'boolean', default: false } },
    })
    if ((values.config === undefined) === (positionals.length === 0)) {
      throw new UsageError('--config is required, or a profile')
    }
    if (values.config === undefined) return validateAlone(positionals, values.json, io, more)
    const gateway = await createGateway(values.config, { ...more, audit: auditToMemory })
    const tenants = gateway.tenants.map(({ name, services: { issuer, profiles } }) => ({
      name,
      issuer,
      profiles: profiles.all.map((profile) => ({ name: profile.name, digest: profile.digest })),
    }))
    const { warnings } = gateway
    await gateway.close()
    if (values.json) {
      io.out(`${JSON.stringify({ tenants, warnings })}\n`)
      return exit.done
    }
    for (const warning of warnings) io.error(`warning: ${warning}\n`)
    for (const { name, issuer, profiles } of tenants) {
      const plain = tenants.length === 1 ? issuer : `${name} (${issuer})`
      io.out(`${plain}: ${profiles.length} profiles: ${profiles.map((profile) => profile.name).join(', ')}\n`)
    }
    return exit.done
  },
}

/** Profiles that are not in a configuration, or not yet; all of them are told of. */
async function validateAlone(files: readonly string[], json: boolean, io: Io, more: Extension): Promise<number> {
  const catalog = extended(builtin(), more)
  const now = Math.floor(Date.now() / 1000)
  const profiles: { readonly name: string; readonly digest: string }[] = []
  let code: number = exit.done
  for (const file of files) {
    try {
      const { profile } = await loadAlone(file, catalog, now)
      profiles.push({ name: profile.name, digest: profile.digest })
      if (!json) io.out(`${file}: ${profile.name}, by itself\n`)
    } catch (error) {
      if (!(error instanceof DragomanError)) throw error
      io.error(`dragoman validate: ${describeFailure(error)}\n`)
      code = Math.max(code, exitOf(error))
    }
  }
  if (json) io.out(`${JSON.stringify({ profiles })}\n`)
  return code
}
