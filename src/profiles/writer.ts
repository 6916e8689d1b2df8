import type { Codec, Writer } from '../core/codec.ts'
import { DragomanError } from '../core/errors.ts'
import type { Signer } from '../core/keys.ts'
import type { Acceptance } from '../core/profile.ts'
import type { Rendering } from '../core/token.ts'
import { BUILT_IN } from './actor.ts'
import type { Entry, ProfileEnvironment } from './document.ts'
import { hint } from './nearest.ts'
import { type Path, pathSteps, stepsBelow } from './problem.ts'
import type { Report } from './report.ts'

/** How a profile's tokens are written, and with which key they are signed. */
export interface Written {
  readonly writer: Writer
  readonly key: string
  readonly rendering: Rendering
}

/**
 * Finds codec and key for a rendering and has the codec prepare it.
 *
 * Without a `crypto` stage the key is the only one that fits, where there is only one. Reports a format or key that there
 * is not, a key of another algorithm, and what the codec refuses.
 */
export function writtenBy(
  rendering: Rendering,
  entries: readonly Entry[],
  environment: ProfileEnvironment,
  report: Report,
): Written | undefined {
  const at = (name: string): Path => entries.find(({ stage }) => stage.name === name)?.path ?? ['stages']
  const { codecs } = environment.catalog
  const codec = codecs.find(({ format }) => format === rendering.format)
  if (codec === undefined) {
    const known = codecs.map(({ format }) => format)
    const message = `there is no format ${JSON.stringify(rendering.format)}; ${hint(rendering.format, known, 'there are')}`
    report.add({ path: [...at('format'), 'to'], message, code: 'ERR_PROFILE_OPTION' })
    return undefined
  }
  const key = rendering.key ?? onlyKey(rendering, codec, environment, at('stages'), report)
  const signer = key === undefined ? undefined : signerFor(key, at('crypto'), environment, report)
  if (key === undefined || signer === undefined) return undefined
  const { name } = signer.algorithm
  if (rendering.algorithm !== undefined && rendering.algorithm !== name) {
    const message = `expected ${name}, which is what the key ${key} is for`
    report.add({ path: [...at('crypto'), 'algorithm'], message, code: 'ERR_PROFILE_RENDERING' })
    return undefined
  }
  const whole = { ...rendering, key, algorithm: name }
  const writer = report.attempt(at('format'), () => prepared(codec, whole, signer), placeIn(entries, at))
  return writer && { writer, key, rendering: whole }
}

/** Whether key and format go together shows when the key is first asked, so it is asked now. */
function prepared(codec: Codec, rendering: Rendering, signer: Signer): Writer {
  const writer = codec.prepare(rendering)
  writer.ceiling(signer)
  return writer
}

function signerFor(
  key: string,
  path: Path,
  { keys, keyNames }: ProfileEnvironment,
  report: Report,
): Signer | undefined {
  const signer = keys.signer(key)
  if (signer !== undefined) return signer
  const message = `there is no key ${JSON.stringify(key)}; ${hint(key, keyNames, 'there are')}`
  report.add({ path: [...path, 'key'], message, code: 'ERR_PROFILE_OPTION' })
  return undefined
}

function onlyKey(
  rendering: Rendering,
  codec: Codec,
  { keys, keyNames }: ProfileEnvironment,
  path: Path,
  report: Report,
): string | undefined {
  const fitting = keyNames.filter((name) => {
    const signer = keys.signer(name)
    return signer !== undefined && fits(codec, { ...rendering, key: name, algorithm: signer.algorithm.name }, signer)
  })
  const [only, another] = fitting
  if (only !== undefined && another === undefined) return only
  // With no key at all the reason is best told by the codec, about the first.
  if (only === undefined && keyNames.length === 1) return keyNames[0]
  const names = (only === undefined ? keyNames : fitting).join(', ')
  const message = `expected \`crypto: { key: … }\`, with one of ${names}`
  report.add({ path, message, atName: true, code: 'ERR_PROFILE_OPTION' })
  return undefined
}

function fits(codec: Codec, rendering: Rendering, signer: Signer): boolean {
  try {
    prepared(codec, rendering, signer)
    return true
  } catch (error) {
    if (error instanceof DragomanError) return false
    throw error
  }
}

/** Where the option stands that a codec refuses; a codec knows its name only. */
function placeIn(entries: readonly Entry[], at: (name: string) => Path) {
  return ({ code, detail: { option } }: DragomanError): Path | undefined => {
    if (code.startsWith('ERR_KEY_')) {
      const crypto = entries.some(({ stage }) => stage.name === 'crypto')
      return crypto ? [...at('crypto'), 'key'] : at('format')
    }
    if (typeof option !== 'string') return undefined
    const steps = pathSteps(option)
    const owner = entries.find(
      ({ stage, options }) => stage.phase === 'writing' && Object.hasOwn(Object(options), String(steps[0])),
    )
    return owner && [...owner.path, ...stepsBelow(owner.options, option)]
  }
}

/**
 * Reports a format that is issued for a key, where no token or proof can supply one. A certificate has its own key; of any
 * other subject token `sender_constraint` takes it, or a stage of one's own.
 */
export function checkKeySource(
  { writer }: Written,
  { subject }: Acceptance,
  entries: readonly Entry[],
  report: Report,
): void {
  if (!writer.needsKey || subject.format === 'x509') return
  const supplied = entries.some(({ stage, options }) =>
    stage.name === 'sender_constraint'
      ? !Object.hasOwn(Object(options), 'danger_drop_confirmation')
      : stage.phase === 'meaning' && !BUILT_IN.has(stage.name),
  )
  if (supplied) return
  report.add({
    path: entries.find(({ stage }) => stage.name === 'format')?.path ?? ['stages'],
    message:
      'this format is issued for a key; add `sender_constraint: { mode: bind, method: [pkcs10], require: true }`, or another proof',
    code: 'ERR_PROFILE_OPTION',
    atName: true,
  })
}
