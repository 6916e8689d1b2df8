import { parseArgs } from 'node:util'
import { builtin, extended } from '../../catalog.ts'
import { loadAlone } from '../../config/alone.ts'
import type { Configuration, TenantEntry } from '../../config/types.ts'
import type { Extension } from '../../core/catalog.ts'
import { expandProfile } from '../../profiles/expand.ts'
import { type Command, configurationIn, EXTENSION, exit, type Io, UsageError } from '../io.ts'
import { showLoss } from './loss.ts'
import { SIZE_OPTIONS, showSize } from './size.ts'

const VERBS = ['expand', 'loss', 'size'] as const

/** `dragoman profile`: what a profile says when everything is said, what it can lose, how large its tokens are. */
export const profileCommand: Command = {
  name: 'profile',
  summary: 'expand: with all defaults written out; loss: what it can lose; size: how large its tokens are',
  usage: 'expand FILE [--config FILE] | loss FILE [--json] | size FILE [--carrier NAME] [--limit BYTES] [--json]',
  example: 'dragoman profile size profiles/jwt-resign-pq.yaml --carrier header',
  words: VERBS,
  options: [
    ['FILE', 'the profile; issuers, clients and keys that it names are taken to be there'],
    ['--config FILE', 'expand: whose audience and clock skew are written out too; size: whose key it is'],
    ['--tenant NAME', 'expand: the tenant of it, where there are several'],
    ['--carrier NAME', 'size: what the token travels in: header (8 KiB), cookie, uri, body (default: header)'],
    ['--limit BYTES', 'size: how much that takes, such as 8192 or 16KiB'],
    ['--claims FILE', 'size: claims as a JSON object (default: 32 characters for each that is kept)'],
    EXTENSION,
    ['--json', 'loss, size: prints one JSON object'],
  ],
  async run(args, io, more) {
    const [verb, file, ...rest] = args
    if (!VERBS.some((known) => known === verb)) throw new UsageError(`expected one of ${VERBS.join(', ')}`)
    if (file === undefined || file.startsWith('-'))
      throw new UsageError(`a profile is expected: dragoman profile ${verb} FILE`)
    const catalog = extended(builtin(), more)
    const now = Math.floor(Date.now() / 1000)
    const alone = await loadAlone(file, catalog, now)
    if (verb === 'expand') return expand(alone.text, rest, io, more)
    const codec = catalog.codecs.find(({ format }) => format === alone.profile.rendering.format)
    if (codec === undefined) throw new TypeError('a profile that is loaded has a codec')
    if (verb === 'size') return showSize(alone, codec, rest, now, io, more)
    const { values } = parseArgs({ args: [...rest], options: { json: SIZE_OPTIONS.json } })
    return showLoss(alone, codec, values.json, now, io)
  },
}

function expand(text: string, args: readonly string[], io: Io, more: Extension): number {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: 'string', short: 'c' }, tenant: { type: 'string' } },
  })
  const catalog = extended(builtin(), more)
  const tenant = values.config === undefined ? undefined : tenantOf(configurationIn(values.config, more), values.tenant)
  io.out(
    expandProfile(text, catalog, {
      types: (format) => catalog.codecs.find((codec) => codec.format === format)?.tokenTypes,
      audience: tenant && [tenant.issuer, `${tenant.issuer}/token`],
      clockSkew: tenant && (tenant.clock_skew ?? 30),
    }),
  )
  if (tenant === undefined) {
    io.error(
      'note: audience and clock_skew of tokens follow from the configuration; with --config they are written out\n',
    )
  }
  return exit.done
}

function tenantOf({ tenants }: Configuration, name: string | undefined): TenantEntry {
  const [only, another] = tenants
  const found = name === undefined && another === undefined ? only : tenants.find((tenant) => tenant.name === name)
  if (found !== undefined) return found
  throw new UsageError(`--tenant is to be one of ${tenants.map((tenant) => tenant.name).join(', ')}`)
}
