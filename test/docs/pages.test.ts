import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { samples } from '../../src/cli/dev/commands.ts'
import { exit } from '../../src/cli/io.ts'
import { createGateway } from '../../src/compose.ts'
import { errors } from '../../src/core/errors.ts'
import { together, workerCounters } from '../../src/gateway/metrics.ts'
import { newEdgeWorld, PROXY } from '../support/edge.ts'
import { blocks, blocksOf, pages, read, root, shipped } from '../support/pages.ts'
import { newTransactionWorld } from '../support/transactions.ts'
import { newWorld, type World } from '../support/world.ts'

/** The anchors that a page has, as GitHub makes them of its headings. */
const anchorsOf = (page: string): readonly string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

describe('every page', () => {
  it.each(pages)('%s: its links lead somewhere', (page) => {
    for (const [, target = '', anchor] of read(page).matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)) {
      if (/^https?:/.test(target)) continue
      const file = target === '' ? page : join(dirname(page), target)
      expect(existsSync(join(root, file)), `${page}: ${target}`).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(file), `${page}: ${target}`).toContain(anchor)
    }
  })

  it.each(pages)('%s: names only reason codes that there are', (page) => {
    for (const [code] of read(page).matchAll(/\bERR_[A-Z_]+[A-Z]\b/g)) {
      const known = Object.keys(errors).some((name) => name === code || name.startsWith(`${code}_`))
      expect(known, `${page}: ${code}`).toBe(true)
    }
  })

  it.each(pages)('%s: names no machine', (page) => {
    expect(read(page)).not.toMatch(/\/(?:work|tmp|home|root|Users)\/|dragoman-[A-Za-z0-9]{6}\b/)
  })

  it.each(pages)('%s: has lines of 120 columns, but for tables and what is printed', (page) => {
    const prose = read(page).replace(/^```.*?^```$/gms, '')
    const long = prose.split('\n').filter((line) => line.length > 120 && !line.startsWith('|'))
    if (/docs\/(?:errors|reference|architecture|performance|examples)/.test(page)) return
    expect(long).toEqual([])
  })

  it('is linked from the README, or from a page that is', () => {
    const reached = new Set(['README.md'])
    for (const page of reached) {
      for (const [, target = ''] of read(page).matchAll(/\]\(([^)#\s]+\.md)(?:#[^)]*)?\)/g)) {
        if (!/^https?:/.test(target)) reached.add(join(dirname(page), target))
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([])
  })

  // A block that nothing tests is a block that rots. Here is who tests which.
  const TESTED: readonly (readonly [pattern: RegExp, by: string])[] = [
    [
      /^(?:sh|text(?: terminal| server)?|(?:yaml|json|ts|nginx) file=\S+)$/,
      'followed.test.ts: run, in the order of the page',
    ],
    [/^(?:yaml configuration|yaml profile|yaml accept)$/, 'here: loaded'],
  ]
  const ALONE: { readonly [page: string]: readonly string[] } = {
    ...Object.fromEntries(shipped.map((profile) => [`docs/howto/${profile}.md`, ['yaml']])),
    // The table of subjects.
    'docs/howto/jwt-to-x509.md': ['yaml', 'json'],
    'docs/operations.md': ['dockerfile', 'ini', 'json record', 'yaml'],
    'docs/examples/README.md': ['ts'],
    // As the tests run it: interoperability.test.ts.
    'docs/interoperability.md': ['yaml'],
    // A line for editors, thrice.
    'docs/reference/configuration.md': ['yaml'],
    'docs/reference/profile.md': ['yaml'],
    'docs/reference/test.md': ['yaml'],
  }
  it('shows nothing that is printed where nobody looks', () => {
    const followed = pages.filter((page) => blocksOf(page).some(({ language }) => language === 'sh'))
    const looked = followed.flatMap((page) => blocksOf(page).filter(({ language }) => language === 'text'))
    for (const page of pages.filter((one) => !followed.includes(one))) {
      for (const { language, text } of blocksOf(page)) {
        if (language === 'text')
          expect(
            looked.some((block) => block.text.includes(text)),
            page,
          ).toBe(true)
      }
    }
  })

  // Drawings.
  const DRAWN = ['README.md', 'docs/architecture.md', 'docs/howto/forward-auth.md']
  it.each(pages)('%s: has no block that is not tested', (page) => {
    const untested = blocksOf(page)
      .map(({ language, use }) => `${language} ${use}`.trim())
      .filter((info) => !TESTED.some(([pattern]) => pattern.test(info)) && !ALONE[page]?.includes(info))
    expect(untested).toEqual(DRAWN.includes(page) ? [''] : [])
  })
})

describe('the page of each shipped profile', () => {
  it('is in the list', () => {
    for (const profile of shipped) expect(read('docs/howto/README.md')).toContain(`(${profile}.md)`)
  })

  it.each(shipped)('%s: shows the profile as it ships', (profile) => {
    expect(blocks(`docs/howto/${profile}.md`, 'yaml')).toEqual([read(`profiles/${profile}.yaml`)])
  })

  it.each(shipped)('%s: shows the command line that `dragoman dev` prints', (profile) => {
    const { command } =
      samples('http://127.0.0.1:8080', 'https://localhost:8443', '$DIR').find((sample) => sample.profile === profile) ??
      {}
    expect(blocks(`docs/howto/${profile}.md`, 'sh')[0]).toBe(`${command} \\\n  | dragoman inspect\n`)
  })

  it('jwt-to-x509: shows the table as it ships', () => {
    expect(blocks('docs/howto/jwt-to-x509.md', 'json')).toEqual([read('profiles/tables/subjects.json')])
  })

  it.each(shipped)('%s: tells of two refusals at least, and what is lost', (profile) => {
    const page = read(`docs/howto/${profile}.md`)
    const refusals = blocksOf(`docs/howto/${profile}.md`).filter(({ text }) => /ERR_[A-Z_]+/.test(text))
    expect(refusals.length).toBeGreaterThanOrEqual(2)
    for (const heading of [
      'The profile',
      'Run it',
      'What comes out',
      'What is lost',
      'What can go wrong',
      'Make it yours',
    ])
      expect(page).toContain(`\n## ${heading}`)
  })
})

interface Way {
  readonly changes: readonly Members[]
  /** Whether an actor token is still taken. */
  readonly actor: boolean
}

/** The changes that a row names: together, or with "or" each by itself. What belongs into the configuration is left out. */
function waysOf(how: string): readonly Way[] {
  const changes = [...how.matchAll(/`([a-z_]+: [^`]+)`/g)]
    .map(([, code = '']) => parse(code.replaceAll('tables/', '')) as unknown)
    .filter(isMembers)
    .filter((change) => !('algorithm' in change) && !('history' in change))
  const actor = !how.includes('without `accept.actor`')
  if (changes.length === 0) return []
  return how.includes(' or ') ? changes.map((change) => ({ changes: [change], actor })) : [{ changes, actor }]
}

function withoutActor(profile: Members): Members {
  const { actor: _, ...accept } = profile['accept'] as Members
  return { ...profile, accept }
}

type Members = { readonly [name: string]: unknown }
const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `over` put into `base`: maps member by member, anything else as a whole. */
function merged(base: unknown, over: unknown): unknown {
  if (!isMembers(base) || !isMembers(over)) return over
  const result: { [name: string]: unknown } = { ...base }
  for (const [name, value] of Object.entries(over)) result[name] = merged(base[name], value)
  return result
}

/** Options that a row names without the map around them. */
const SUBJECT = ['kind', 'issuers', 'audience', 'subject_from', 'extended_key_usage']

/** A profile with a change as a row of "Make it yours" has it. */
function changed(profile: Members, change: Members): Members {
  const stages = profile['stages'] as readonly Members[]
  let result: { [name: string]: unknown } = { ...profile }
  for (const [name, value] of Object.entries(change)) {
    if (STAGES.includes(name)) {
      const at = stages.findIndex((stage) => name in stage)
      const before = name === 'encoding' || name === 'crypto' || name === 'format' ? stages.length : 0
      const next =
        at >= 0
          ? stages.with(at, { [name]: name === 'subject' ? value : merged(stages[at]?.[name], value) })
          : stages.toSpliced(name === 'encoding' ? before - 1 : before, 0, { [name]: value })
      result['stages'] = next
    } else if (SUBJECT.includes(name)) result = { ...(merged(result, { accept: { subject: change } }) as Members) }
    else result = { ...(merged(result, change) as Members) }
  }
  return result
}

const STAGES = ['subject', 'context', 'embedding', 'validity', 'sender_constraint', 'format', 'encoding', 'crypto']

describe('what the pages suggest', () => {
  let world: World
  beforeAll(async () => {
    world = await newWorld()
    // Beside the profile, whose folder it is relative to.
    writeFileSync(join(world.folder, 'subjects.json'), read('profiles/tables/subjects.json'))
  })
  afterAll(() => world.close())

  /** Loads a configuration that has nothing but these profiles. */
  async function load(profiles: readonly Members[], configuration: Members = {}): Promise<void> {
    const files = profiles.map((profile, at) => {
      writeFileSync(join(world.folder, `page-${at}.yaml`), stringify(profile))
      return `page-${at}.yaml`
    })
    const file = join(world.folder, 'page.yaml')
    const base = parse(world.file('dragoman.yaml')) as Members
    writeFileSync(file, stringify({ ...base, ...configuration, profiles: files }))
    const gateway = await createGateway(file, { env: {} })
    await gateway.close()
  }

  it.each(shipped)('%s: each change of "Make it yours" can be loaded', async (profile) => {
    const [, table = ''] = read(`docs/howto/${profile}.md`).split('## Make it yours')
    const start = parse(read(`profiles/${profile}.yaml`).replaceAll('tables/', '')) as Members
    const rows = [...table.matchAll(/^\| (?!To|---)[^|]+ \| (.+) \|$/gm)].map(([, how = '']) => how)
    const tried = rows.flatMap(waysOf)
    expect(tried.length).toBeGreaterThan(1)
    for (const way of tried) {
      const change = way.changes.reduce(changed, way.actor ? start : withoutActor(start))
      await expect(load([change]), JSON.stringify(way)).resolves.toBeUndefined()
    }
  })

  const configured = pages.filter((page) => blocks(page, 'yaml configuration').length > 0)
  it.each(configured)('%s: its configuration can be loaded', async (page) => {
    const base = parse(world.file('dragoman.yaml')) as { readonly issuers: readonly { readonly issuer: string }[] }
    const profile = parse(read('profiles/jwt-to-cwt.yaml')) as Members
    for (const text of blocks(page, 'yaml configuration')) {
      const { issuers = [], ...rest } = parse(text) as { readonly issuers?: readonly { readonly issuer: string }[] }
      await load([profile], { ...rest, issuers: [...base.issuers, ...issuers] })
    }
  })

  it.each(pages.filter((page) => blocks(page, 'yaml profile').length > 0))(
    '%s: its profiles can be loaded',
    async (page) => {
      for (const text of blocks(page, 'yaml profile')) await load([parse(text) as Members])
    },
  )

  it.each(pages.filter((page) => blocks(page, 'yaml accept').length > 0))(
    '%s: what it says of `accept` can be loaded',
    async (page) => {
      const { clients: _, ...profile } = parse(read('profiles/jwt-to-cwt.yaml')) as Members
      for (const text of blocks(page, 'yaml accept')) await load([merged(profile, parse(text)) as Members])
    },
  )
})

describe('README.md and the others', () => {
  it('name scripts that there are', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly scripts: Members }
    for (const page of pages) {
      for (const [, script = ''] of read(page).matchAll(/\bnpm run ([a-z:]+)/g))
        expect(scripts).toHaveProperty([script])
    }
  })

  it('name files of the repository that there are', () => {
    for (const page of pages) {
      for (const [, file = ''] of read(page).matchAll(
        /`((?:src|test|docs|bin)\/[\w./-]+\.\w+|profiles\/[\w/-]+\.(?:yaml|json))`/g,
      )) {
        expect(existsSync(join(root, file)), `${page}: ${file}`).toBe(true)
      }
    }
  })
})

/** The first column of a table under a heading, without its backquotes, as often as a cell names something. */
const named = (page: string, heading: string): readonly string[] => {
  const [, section = ''] = read(page).split(`\n## ${heading}\n`)
  const [rows = ''] = section.split(/\n## /)
  return [...rows.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  )
}

/** A batch of one. */
const batch = ({ gateway }: World) =>
  gateway.http.inject({
    method: 'POST',
    url: '/token/batch',
    headers: { 'content-type': 'application/json', authorization: PROXY },
    payload: { items: [{ id: 'x' }] },
  })

describe('docs/operations.md', () => {
  const page = 'docs/operations.md'
  const fields = named(page, 'The audit stream')

  it('has a row for each member of an audit record, and no other', () => {
    const [, text = ''] = /export interface AuditRecord \{(.*?)^\}/ms.exec(source('core/audit.ts')) ?? []
    const members = [...text.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name)
    expect(fields).toEqual(members)
  })

  it('knows every member of real records, and each is in one', async () => {
    const world = await newEdgeWorld()
    const audience = 'https://jwt-delegate.beta.example'
    const subject_token = await world.token('jwt')
    await world.post({ subject_token, audience: 'https://jwt-to-cwt.beta.example', scope: 'orders.read' })
    await world.post({
      ...{ subject_token, audience, actor_token: world.file('actor.jwt') },
      actor_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    })
    await world.post({ subject_token, audience: 'https://jwt-to-x509.beta.example', csr: world.file('client.csr') })
    await world.post({ subject_token: 'x', audience: 'https://jwt-to-cwt.beta.example' })
    await world.ask({ authorization: `Bearer ${subject_token}` })
    await batch(world)
    const transactions = await newTransactionWorld()
    await transactions.ask('nightly', {
      ...{ token: '{"sub":"job/nightly-report"}', type: 'urn:ietf:params:oauth:token-type:unsigned_json' },
      ...{ scope: 'report.build', details: { period: '2026-11' } },
    })
    const records = [...world.records, ...transactions.records]
    const seen = new Set(records.flatMap((record) => Object.keys(JSON.parse(JSON.stringify(record)) as Members)))
    await Promise.all([world.close(), transactions.close()])
    expect([...seen].sort()).toEqual([...fields].sort())
  })

  it('shows a record that could be one', () => {
    const [text = ''] = blocks(page, 'json record')
    const members = Object.keys(JSON.parse(text) as Members)
    expect(members).toEqual(fields.filter((field) => members.includes(field)))
  })

  it('names metrics that there are; the reference has a row for each, with its labels, and no other', async () => {
    const world = await newEdgeWorld()
    await world.post({ subject_token: await world.token('jwt'), audience: 'https://jwt-to-cwt.beta.example' })
    await world.gateway.http.inject({ url: '/nowhere' })
    await world.ask({})
    await batch(world)
    await world.gateway.reload()
    const workers = workerCounters(2)
    workers.serving(2)
    const { body: own } = await world.gateway.http.inject({ url: '/metrics' })
    const body = `${own}\n${await together([await workers.measured()])}`
    await world.close()
    const metrics = [...body.matchAll(/^# TYPE (dragoman_\w+) /gm)].map(([, name = '']) => name)
    const rows = [...read('docs/reference/metrics.md').matchAll(/^\| `(dragoman_\w+)`.* \| ([^|]*)\| [^|]+ \|$/gm)]
    expect(new Set(rows.flatMap(([row]) => [...row.matchAll(/dragoman_\w+/g)].map(([name]) => name)))).toEqual(
      new Set(metrics),
    )
    for (const [name] of read(page).matchAll(/\bdragoman_\w+/g)) expect(metrics).toContain(name)
    for (const [, name = '', cell = ''] of rows) {
      const labels = [...cell.matchAll(/`(\w+)`/g)].map(([, label]) => label)
      const [, shown = ''] = new RegExp(`^${name}(?:_count)?\\{([^}]*)\\}`, 'm').exec(body) ?? []
      // Nothing is fetched in this world.
      if (name.startsWith('dragoman_issuer_fetched')) continue
      expect(
        [...shown.matchAll(/(\w+)="/g)].map(([, label]) => label),
        name,
      ).toEqual(labels)
    }
  })

  it('installs what is enough to run', () => {
    const [file = ''] = blocks(page, 'dockerfile')
    const folder = mkdtempSync(join(tmpdir(), 'dragoman-image-'))
    for (const [, from = '', to = ''] of file.matchAll(/^COPY (\w+) (\w+)$/gm))
      cpSync(join(root, from), join(folder, to), { recursive: true })
    cpSync(join(root, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const [, entry = ''] = /^ENTRYPOINT \["node", "(.+)"\]$/m.exec(file) ?? []
    const version = execFileSync(process.execPath, [join(folder, entry), '--version'], { encoding: 'utf8' })
    rmSync(folder, { recursive: true })
    expect(version).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('has the exit codes that there are', () => {
    const [, section = ''] = read(page).split('\n## Exit codes\n')
    const codes = [...section.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code))
    expect(codes).toEqual(Object.values(exit))
  })
})

const source = (file: string): string => readFileSync(join(root, 'src', file), 'utf8')

describe('docs/limits.md', () => {
  const rows = [...read('docs/limits.md').matchAll(/^\| ([^|]+) \| ([\d,]+)( KiB)?[^|]* \| (`.+`) \|$/gm)].map(
    ([, what = '', digits = '', unit, where = '']) => ({
      what,
      where,
      value: Number(digits.replaceAll(',', '')) * (unit === undefined ? 1 : 1024),
    }),
  )

  it.each(rows)('$what: is what the code has', ({ value, where }) => {
    const [, constant = '', file = ''] = /^`(\w+)` in `([\w./-]+)`$/.exec(where) ?? []
    const actual = constant === '' ? defaultOf(where.replaceAll('`', '')) : numberIn(source(file), constant)
    expect(actual).toBe(value)
  })

  it('has them all in this form', () => {
    expect(rows).toHaveLength([...read('docs/limits.md').matchAll(/^\| (?!What|---)/gm)].length)
  })
})

/** The first number behind a name: a constant, a member, or the first member of an object. */
function numberIn(text: string, name: string): number {
  const [, product = ''] =
    new RegExp(`\\b${name}(?:: \\w+)?(?:\\s*[=:]\\s*(?:\\{ \\w+: )?)([0-9][0-9_ *]*)`).exec(text) ?? []
  return product
    .split('*')
    .map((factor) => Number(factor.replaceAll('_', '').trim()))
    .reduce((all, factor) => all * factor)
}

/** The default of an option, from the schema. */
function defaultOf(option: string): unknown {
  let schema = JSON.parse(read('docs/schema/configuration.json')) as Members
  for (const name of option.split('.')) {
    schema = (schema['properties'] as Members)[name.replace('[]', '')] as Members
    if (name.endsWith('[]')) schema = schema['items'] as Members
  }
  return schema['default']
}

describe('docs/dependencies.md', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as { readonly [kind: string]: { readonly [name: string]: string } }

  it('has a reason for each package that runs', () => {
    expect([...named('docs/dependencies.md', 'In the running gateway')].sort()).toEqual(
      Object.keys(dependencies ?? {}).sort(),
    )
  })

  it('names each package that is optional, or for the tests', () => {
    const page = read('docs/dependencies.md')
    for (const name of Object.keys({ ...optionalDependencies, ...devDependencies })) {
      if (name.startsWith('@types/')) continue
      expect(page, name).toContain(`\`${name}\``)
    }
  })

  it('keeps each behind one folder', () => {
    const [, section = ''] = read('docs/dependencies.md').split('\n## In the running gateway\n')
    const rows = [...section.matchAll(/^\| `([^`]+)` \| ((?:`\w+\/`(?:, )?)+) \|/gm)]
    expect(rows).toHaveLength(Object.keys(dependencies ?? {}).length)
    for (const [, name = '', cell = ''] of rows) {
      const folders = [...cell.matchAll(/`(\w+)\/`/g)].map(([, folder]) => folder)
      const users = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && new RegExp(`from '${name}[/']`).test(source(file)))
        .map((file) => file.split('/')[0])
      expect([...new Set(users)].sort(), name).toEqual([...folders].sort())
    }
  })
})
