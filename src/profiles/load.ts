import { createHash } from 'node:crypto'
import { type AcceptanceDefaults, type AcceptanceOptions, tokenAcceptance } from '../core/acceptance.ts'
import type { Catalog } from '../core/catalog.ts'
import type { Writer } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { KeyStore, Signer } from '../core/keys.ts'
import type { Acceptance, Profile, ProfileSet, Step, Targets } from '../core/profile.ts'
import type { Setting, Stage } from '../core/stage.ts'
import type { Rendering } from '../core/token.ts'
import { map } from '../core/value.ts'
import { type Check, checkFor, closest } from './check.ts'
import { dangersIn } from './dangers.ts'
import { MAX_LIFETIME_DEFAULT, profileSchema } from './schema.ts'
import { type Path, type Problem, pathSteps, pathText, readSource, type Source, type SourceFile } from './source.ts'

/** The check of profiles for one catalog; takes some 30 milliseconds to make. */
export const profileCheck = (catalog: Catalog): Check => checkFor(profileSchema(catalog))

/** What a profile is loaded against: one tenant's issuers, clients, keys. */
export interface ProfileEnvironment {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly clockSkew: number
  readonly catalog: Catalog
  readonly keys: KeyStore
  readonly keyNames: readonly string[]
  readonly issuers: readonly string[]
  readonly clients: readonly string[]
  /** The check against the schema of this catalog: compiling it takes longer than all else, so that it is kept. */
  readonly check: Check
  /** Reads a file named in the profile at `profileFile`. */
  readFile(profileFile: string, name: string): string
  /** @throws {@link DragomanError} for a name that is not configured */
  secret(name: string): Uint8Array
}

/** The document of a profile once its schema has passed it. */
interface ProfileDocument {
  readonly name: string
  readonly description?: string
  readonly accept: {
    readonly clients?: readonly string[]
    readonly subject_token_authenticates?: boolean
    readonly subject: AcceptanceOptions
    readonly actor?: AcceptanceOptions
    readonly targets: {
      readonly allow?: readonly (string | { readonly request: string; readonly audience: string })[]
      readonly default?: readonly string[]
      readonly danger_any_target?: true
    }
  }
  readonly stages: readonly { readonly [stage: string]: unknown }[]
  readonly must_keep?: readonly string[]
  readonly max_lifetime?: number
  readonly audit?: { readonly subject?: 'plain' | 'hashed' | 'absent' }
}

/**
 * Loads the profiles of one tenant: each read once, checked whole, prepared and frozen.
 *
 * @throws {@link DragomanError} `ERR_PROFILE_SYNTAX`, `_SCHEMA`, `_OPTION`, `_ORDER` or `_RENDERING`; `detail.problems`
 * says of each problem file, line, column, path and what would be right
 */
export function loadProfiles(files: readonly SourceFile[], environment: ProfileEnvironment): ProfileSet {
  const all = files.map((file) => loadProfile(file, environment))
  const names = new Map<string, string>()
  for (const [index, { name }] of all.entries()) {
    const file = files[index]?.file ?? ''
    const other = names.get(name)
    if (other !== undefined) {
      throw new DragomanError('ERR_PROFILE_OPTION', {
        detail: { file, expected: `a name of its own; ${name} is also the name of ${other}` },
      })
    }
    names.set(name, file)
  }
  const byClient = new Map<string | undefined, Profile[]>()
  const put = (client: string | undefined, profile: Profile) => {
    const known = byClient.get(client)
    if (known) known.push(profile)
    else byClient.set(client, [profile])
  }
  for (const profile of all) {
    for (const client of profile.accepts.clients) put(client, profile)
    if (profile.accepts.subjectTokenAuthenticates) put(undefined, profile)
  }
  const none: readonly Profile[] = []
  return Object.freeze({ all: Object.freeze(all), for: (client: string | undefined) => byClient.get(client) ?? none })
}

function loadProfile(file: SourceFile, environment: ProfileEnvironment): Profile {
  const source = readSource(file)
  const problems = environment.check(source.value)
  if (problems.length > 0) throw source.refuse(problems)
  const document = source.value as ProfileDocument
  const digest = createHash('sha256').update(file.text)
  const load = new Loading(source, document, environment, digest)
  return load.profile()
}

/** One profile being loaded: what the steps have in common. */
class Loading {
  private readonly source: Source
  private readonly document: ProfileDocument
  private readonly environment: ProfileEnvironment
  private readonly digest: ReturnType<typeof createHash>
  private readonly defaults: AcceptanceDefaults

  constructor(
    source: Source,
    document: ProfileDocument,
    environment: ProfileEnvironment,
    digest: ReturnType<typeof createHash>,
  ) {
    this.source = source
    this.document = document
    this.environment = environment
    this.digest = digest
    const { issuer, tokenEndpoint, clockSkew, catalog } = environment
    this.defaults = {
      issuer,
      tokenEndpoint,
      clockSkew,
      types: (format) => catalog.codecs.find((codec) => codec.format === format)?.tokenTypes,
    }
  }

  profile(): Profile {
    const { document, environment } = this
    const entries = this.entries()
    this.assertOrder(entries)
    const accepts = this.accepts()
    this.assertActorUsed(accepts, entries)
    const { steps, rendering: rendered } = this.prepare(entries)
    const { key, signer } = this.signer(rendered, entries)
    const rendering = { ...rendered, key, algorithm: signer.algorithm.name }
    const writer = this.writer(rendering, entries, signer)
    this.assertKeySource(writer, accepts, entries)
    const dangers = this.at([], () => dangersIn(document, environment.catalog.stages))
    return Object.freeze({
      name: document.name,
      description: document.description,
      digest: this.digest.digest('hex'),
      accepts: Object.freeze(accepts),
      steps: Object.freeze(steps),
      rendering: Object.freeze(rendering),
      writer,
      key,
      dangers,
      mustKeep: Object.freeze(document.must_keep ?? []),
      maxLifetime: document.max_lifetime ?? MAX_LIFETIME_DEFAULT,
      auditSubject: document.audit?.subject ?? 'hashed',
    })
  }

  private entries(): readonly Entry[] {
    const { stages } = this.environment.catalog
    return this.document.stages.map((item, index) => {
      const [name, another] = Object.keys(item).filter((member) => member !== 'when')
      const stage = stages.find((candidate) => candidate.name === name)
      if (name === undefined || another !== undefined || stage === undefined) {
        throw this.refuse(['stages', index], 'expected one stage for each entry of the list')
      }
      return { stage, options: item[name], when: item['when'] as string | undefined, path: ['stages', index, name] }
    })
  }

  private assertOrder(entries: readonly Entry[]): void {
    const refuse = (entry: Entry, message: string) => this.refuse(entry.path, message, 'ERR_PROFILE_ORDER', true)
    let written: Entry | undefined
    for (const entry of entries) {
      if (entry.stage.phase === 'writing') {
        written = entry
        if (entry.when !== undefined) throw refuse(entry, 'a stage that says how the token is written takes no `when`')
      } else if (written) {
        throw refuse(
          entry,
          `expected before \`${written.stage.name}\`: what the token says comes before how it is written`,
        )
      }
    }
    const found = WRITING.map((name) => entries.filter((entry) => entry.stage.name === name))
    for (const [first, second] of found) {
      if (first && second) throw refuse(second, `\`${second.stage.name}\` may stand once`)
    }
    const [format] = found[0] ?? []
    if (!format)
      throw this.refuse(['stages'], 'expected a `format` stage, which says what is issued', 'ERR_PROFILE_ORDER')
    for (const entry of entries) {
      if (entry.stage.phase === 'writing' && entries.indexOf(entry) < entries.indexOf(format)) {
        throw refuse(entry, `expected after \`format\`, which decides what \`${entry.stage.name}\` can say`)
      }
    }
  }

  private accepts(): Acceptance {
    const { accept } = this.document
    const clients = accept.clients ?? []
    if (clients.length === 0 && accept.subject_token_authenticates !== true) {
      throw this.refuse(['accept'], 'expected `clients`, or `subject_token_authenticates: true`')
    }
    for (const [index, client] of clients.entries()) {
      this.assertKnown(['accept', 'clients', index], client, this.environment.clients, 'client')
    }
    return {
      clients,
      subjectTokenAuthenticates: accept.subject_token_authenticates === true,
      subject: this.acceptance(['accept', 'subject'], accept.subject),
      actor: accept.actor && this.acceptance(['accept', 'actor'], accept.actor),
      targets: this.targets(),
    }
  }

  private acceptance(path: Path, options: AcceptanceOptions) {
    for (const [index, issuer] of options.issuers.entries()) {
      this.assertKnown(
        [...path, 'issuers', index],
        issuer,
        ['self', this.environment.issuer, ...this.environment.issuers],
        'issuer',
      )
    }
    return this.at([], () => tokenAcceptance(options, this.defaults, pathText(path)))
  }

  private targets(): Targets {
    const { allow = [], default: fallback = [], danger_any_target: open } = this.document.accept.targets
    const allowed = new Map<string, string>()
    for (const [index, target] of allow.entries()) {
      const [request, audience] = typeof target === 'string' ? [target, target] : [target.request, target.audience]
      if (allowed.has(request)) throw this.refuse(['accept', 'targets', 'allow', index], 'stands in the list twice')
      allowed.set(request, audience)
    }
    return { allowed, fallback, open: open === true }
  }

  /** An actor token that is taken and then not used looks like delegation to the client and is none. */
  private assertActorUsed({ actor }: Acceptance, entries: readonly Entry[]): void {
    const user = entries.find(({ options }) => mentionsActor(options))
    if (actor !== undefined && user === undefined) {
      throw this.refuse(
        ['accept', 'actor'],
        'an actor token is taken and no stage uses it; add `embedding: { act: { from: actor_token } }`',
        'ERR_PROFILE_OPTION',
        true,
      )
    }
    if (actor === undefined && user !== undefined) {
      throw this.refuse(
        user.path,
        'uses the actor token, and `accept.actor` does not take one',
        'ERR_PROFILE_OPTION',
        true,
      )
    }
  }

  private prepare(entries: readonly Entry[]): { steps: readonly Step[]; rendering: Rendering } {
    let rendering = PLAIN
    const steps = entries.map(({ stage, options, when, path }): Step => {
      const prepared = this.at(path, () => stage.prepare(options as never, this.setting()))
      if (prepared.render) rendering = prepared.render(rendering)
      const { transform } = prepared
      if (when !== undefined && transform === undefined) throw this.refuse(path, 'takes no `when`', 'ERR_PROFILE_ORDER')
      const condition =
        when === undefined
          ? undefined
          : this.at([...path.slice(0, 2), 'when'], () => this.environment.catalog.expression(when))
      return { stage: stage.name, path: pathText(path), transform, when: condition }
    })
    return { steps, rendering }
  }

  private setting(): Setting {
    const { issuer, secret, catalog } = this.environment
    return {
      profile: this.document.name,
      issuer,
      acceptance: this.defaults,
      readFile: (name) => {
        const text = this.environment.readFile(this.source.file, name)
        this.digest.update('\0').update(name).update('\0').update(text)
        return text
      },
      secret,
      expression: catalog.expression,
    }
  }

  private signer(rendering: Rendering, entries: readonly Entry[]): { key: string; signer: Signer } {
    const { keys, keyNames } = this.environment
    const path = [...(entries.find(({ stage }) => stage.name === 'crypto')?.path ?? ['stages']), 'key']
    const key = rendering.key ?? (keyNames.length === 1 ? keyNames[0] : undefined)
    if (key === undefined) {
      throw this.refuse(path, `expected \`crypto: { key: … }\`, with one of ${keyNames.join(', ')}`)
    }
    this.assertKnown(path, key, keyNames, 'key')
    const signer = keys.signer(key)
    if (signer === undefined) throw this.refuse(path, `the key ${key} cannot be used`)
    if (rendering.algorithm !== undefined && rendering.algorithm !== signer.algorithm.name) {
      const at = [...path.slice(0, -1), 'algorithm']
      throw this.refuse(
        at,
        `expected ${signer.algorithm.name}, which is what the key ${key} is for`,
        'ERR_PROFILE_RENDERING',
      )
    }
    return { key, signer }
  }

  private writer(rendering: Rendering, entries: readonly Entry[], signer: Signer): Writer {
    const path = entries.find(({ stage }) => stage.name === 'format')?.path ?? ['stages']
    const { codecs } = this.environment.catalog
    const codec = codecs.find(({ format }) => format === rendering.format)
    if (codec === undefined) {
      this.assertKnown(
        [...path, 'to'],
        rendering.format,
        codecs.map(({ format }) => format),
        'format',
      )
      throw this.refuse(path, 'there is no such format')
    }
    const place = (error: DragomanError): Path => {
      const option = error.detail['option']
      const encoding = entries.find(({ stage }) => stage.name === 'encoding')
      if (typeof option !== 'string') return path
      return encoding && Object.hasOwn(Object(encoding.options), option)
        ? [...encoding.path, option]
        : [...path, option]
    }
    return this.at(
      path,
      () => {
        const writer = codec.prepare(rendering)
        // Whether key and format go together shows when the key is first asked, so it is asked now.
        writer.ceiling(signer)
        return writer
      },
      place,
    )
  }

  /** A certificate is issued for a key, which must come from a token that is bound to it or from a proof. */
  private assertKeySource(writer: Writer, accepts: Acceptance, entries: readonly Entry[]): void {
    if (!writer.needsKey || accepts.subject.format === 'x509') return
    const binding = entries.some(
      ({ stage, options }) => stage.name === 'sender_constraint' && !('danger_drop_confirmation' in Object(options)),
    )
    const foreign = entries.some(({ stage }) => stage.phase === 'meaning' && !BUILT_IN.has(stage.name))
    if (binding || foreign) return
    throw this.refuse(
      ['stages'],
      'this format is issued for a key; add `sender_constraint: { mode: bind, method: [pkcs10], require: true }`, or another proof',
      'ERR_PROFILE_OPTION',
    )
  }

  private assertKnown(path: Path, name: string, known: readonly string[], what: string): void {
    if (known.includes(name)) return
    const near = closest(name, known)
    const hint = near === undefined ? `configured: ${known.join(', ') || 'none'}` : `did you mean \`${near}\`?`
    throw this.refuse(path, `there is no ${what} ${JSON.stringify(name)}; ${hint}`, 'ERR_PROFILE_OPTION')
  }

  private refuse(
    path: Path,
    message: string,
    code: Problem['code'] = 'ERR_PROFILE_SCHEMA',
    atName = false,
  ): DragomanError {
    return this.source.refuse([{ path, message, code, atName }])
  }

  /** Runs a part that knows paths below `base` only, and gives what goes wrong in it its place in the file. */
  private at<T>(base: Path, work: () => T, place?: (error: DragomanError) => Path): T {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof DragomanError) || error.detail['problems'] !== undefined) throw error
      const { path, expected, ...rest } = error.detail
      const below = typeof path === 'string' ? pathSteps(path) : []
      const more = Object.entries(rest)
        .filter(([name, value]) => name !== 'option' && (typeof value === 'string' || typeof value === 'number'))
        .map(([name, value]) => `${name}: ${value}`)
      const message = [expected === undefined ? error.message : `expected ${expected}`, ...more].join('; ')
      throw this.source.refuse([{ path: place?.(error) ?? [...base, ...below], message, code: error.code }])
    }
  }
}

interface Entry {
  readonly stage: Stage
  readonly options: unknown
  readonly when: string | undefined
  readonly path: Path
}

const WRITING = ['format', 'encoding', 'crypto'] as const
const BUILT_IN: ReadonlySet<string> = new Set(['subject', 'context', 'embedding', 'validity', 'sender_constraint'])

const PLAIN: Rendering = {
  format: '',
  kind: undefined,
  options: map(),
  key: undefined,
  algorithm: undefined,
  header: map(),
  kid: true,
  tokenType: undefined,
}

/** Whether options name the actor: `actor_token`, `actor`, or `actor.…` in an expression or a path. */
function mentionsActor(options: unknown): boolean {
  if (typeof options === 'string') return /^actor(_token)?$|\bactor[.[]/.test(options)
  if (Array.isArray(options)) return options.some(mentionsActor)
  return typeof options === 'object' && options !== null && Object.values(options).some(mentionsActor)
}
