import { auditToMemory } from '../audit/index.ts'
import { createGateway } from '../compose.ts'
import { type Command, configurationAsked, EXTENSION, exit } from './io.ts'

/** `dragoman validate`: everything that a start would check, without a start. */
export const validateCommand: Command = {
  name: 'validate',
  summary: 'checks a configuration and its profiles, keys and certificates as a start would, and starts nothing',
  usage: '--config FILE [--json]',
  example: 'dragoman validate --config dragoman.yaml',
  options: [
    ['--config FILE', 'the configuration'],
    EXTENSION,
    ['--json', 'prints one JSON object: tenants, profiles with their digests, warnings'],
  ],
  async run(args, io, more) {
    const values = configurationAsked(args)
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
