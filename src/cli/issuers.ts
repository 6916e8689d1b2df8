import { createFetcher } from '../trust/index.ts'
import { nameText } from '../wire/name.ts'
import { type Command, configurationAsked, configurationIn, EXTENSION, exit } from './io.ts'
import { type IssuerLook, lookAt } from './look.ts'
import { duration, instant } from './time.ts'

/** `dragoman issuers`: each issuer that is trusted, and how its keys stand now. */
export const issuersCommand: Command = {
  name: 'issuers',
  summary: 'fetches the keys of each issuer as the gateway would, and tells how they stand',
  usage: '--config FILE [--json]',
  example: 'dragoman issuers --config dragoman.yaml',
  options: [['--config FILE', 'the configuration'], EXTENSION, ['--json', 'prints one JSON object']],
  async run(args, io, more) {
    const values = configurationAsked(args)
    const { tenants, file } = configurationIn(values.config, more)
    const tools = { file, fetch: createFetcher(), clock: () => Date.now() / 1000 }
    const looks = await Promise.all(
      tenants.flatMap(({ name, issuers = [] }) =>
        issuers.map(async (entry) => ({ tenant: name, ...(await lookAt(entry, tools)) })),
      ),
    )
    const now = tools.clock()
    if (values.json) io.out(`${JSON.stringify({ issuers: looks.map(members) })}\n`)
    else for (const look of looks) io.out(`${describe(look, tenants.length > 1 ? look.tenant : undefined, now)}\n`)
    if (looks.some(({ error, outside }) => error !== undefined && !outside)) return exit.refused
    return looks.some(({ error }) => error !== undefined) ? exit.outside : exit.done
  },
}

function describe(look: IssuerLook, tenant: string | undefined, now: number): string {
  const { issuer, source, subjects, keys, certificates, fetchedAt, nextRefresh, error } = look
  const line = (name: string, value: string) => `  ${name.padEnd(12)} ${value}`
  return [
    tenant === undefined ? issuer : `${issuer} (tenant ${tenant})`,
    line('source', source),
    line('subjects', subjects.join(', ')),
    ...keys.map(({ kid, algorithms, publicKey }) =>
      line('key', `${algorithms.map(({ name }) => name).join(' ')}, kid ${kid ?? 'none'}, thumbprint ${publicKey.jkt}`),
    ),
    ...certificates.map(({ subject, notAfter }) =>
      line('certificate', `${nameText(subject)}, until ${instant(notAfter, now)}`),
    ),
    ...(fetchedAt === undefined ? [] : [line('fetched', `${duration(now - fetchedAt)} ago`)]),
    ...(nextRefresh === undefined ? [] : [line('next refresh', `in ${duration(Math.max(0, nextRefresh - now))}`)]),
    ...(error === undefined ? [] : [line('last error', error)]),
    '',
  ].join('\n')
}

const members = ({ keys, certificates, outside: _, ...rest }: IssuerLook & { readonly tenant: string }) => ({
  ...rest,
  keys: keys.map(({ kid, algorithms, publicKey }) => ({
    kid,
    algorithms: algorithms.map(({ name }) => name),
    thumbprint: publicKey.jkt,
  })),
  certificates: certificates.map(({ subject, notBefore, notAfter, thumbprint }) => ({
    subject: nameText(subject),
    not_before: notBefore,
    not_after: notAfter,
    x5t_s256: thumbprint,
  })),
})
