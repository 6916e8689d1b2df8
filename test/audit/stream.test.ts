import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { auditToStream } from '../../src/audit/index.ts'
import { idsIn, record } from '../support/records.ts'

const MIB = 1024 * 1024
const unavailable = expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' })

/** A reader that takes nothing until it is told to, and remembers what it took. */
function reader() {
  const taken: Buffer[] = []
  const held: (() => void)[] = []
  let reading = false
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      taken.push(chunk)
      if (reading) done()
      else held.push(done)
    },
  })
  return {
    stream,
    text: () => Buffer.concat(taken).toString(),
    read() {
      reading = true
      for (const done of held.splice(0)) done()
    },
  }
}

/** A record of so many bytes and a few. */
const large = (bytes: number) => record('large', { client: 'x'.repeat(bytes) })

describe('records to a stream', () => {
  it('are one line each, in order', async () => {
    const { stream, text, read } = reader()
    read()
    const sink = auditToStream(stream)
    for (const id of ['a', 'b', 'c']) sink.write(record(id))
    await sink.close?.()
    expect(idsIn(text())).toEqual(['a', 'b', 'c'])
  })

  it('do not wait for the reader, until it is 16 MiB behind: then the sink is not healthy', async () => {
    const { stream, read } = reader()
    const sink = auditToStream(stream)
    for (let n = 0; n < 15; n += 1) sink.write(large(MIB))
    expect(sink.healthy?.()).toBe(true)
    sink.write(large(MIB))
    expect(sink.healthy?.()).toBe(false)
    read()
    await sink.close?.()
    expect(sink.healthy?.()).toBe(true)
  })

  it('are refused, each, when the reader is 32 MiB behind', () => {
    const sink = auditToStream(reader().stream)
    for (let n = 0; n < 32; n += 1) sink.write(large(MIB))
    expect(() => sink.write(record('a'))).toThrow(unavailable)
  })

  it('are refused once the stream has failed, which ends nothing else', async () => {
    const { stream } = reader()
    const sink = auditToStream(stream)
    expect(sink.healthy?.()).toBe(true)
    const closed = new Promise((resolve) => stream.once('close', resolve))
    stream.destroy(Object.assign(new Error('the reader is gone'), { code: 'EPIPE' }))
    await closed
    expect(sink.healthy?.()).toBe(false)
    expect(() => sink.write(record('a'))).toThrow(unavailable)
    await sink.close?.()
  })

  // A stream that is destroyed without a reason emits no error, and takes what is written to it without a word.
  it.each([
    ['ended', (stream: Writable) => void stream.end()],
    ['destroyed', (stream: Writable) => void stream.destroy()],
  ])('are refused once the stream was %s', async (_, stop) => {
    const { stream } = reader()
    const sink = auditToStream(stream)
    stop(stream)
    expect(sink.healthy?.()).toBe(false)
    expect(() => sink.write(record('a'))).toThrow(unavailable)
    await sink.close?.()
  })

  // Standard output does so on Node: the error undoes itself, and each further record would be lost without a word.
  it('are refused once a write has failed, also by a stream that forgets it at once', async () => {
    const stream = new Writable({ write: (_, __, done) => done(new Error('EPIPE')), autoDestroy: false })
    const errors: unknown[] = []
    stream.on('error', (error) => errors.push(error))
    const sink = auditToStream(stream)
    try {
      sink.write(record('a'))
    } catch (error) {
      expect(error).toEqual(unavailable)
    }
    await new Promise((resolve) => setImmediate(resolve))
    Object.defineProperty(stream, 'writable', { value: true })
    expect(errors).toHaveLength(1)
    expect(sink.healthy?.()).toBe(false)
    expect(() => sink.write(record('b'))).toThrow(unavailable)
  })

  it.skipIf(process.platform === 'win32')('to a standard output that nobody reads are refused from the first', async () => {
    const script = `
      import process from 'node:process'
      import { auditToStream } from ${JSON.stringify(new URL('../../src/audit/index.ts', import.meta.url).href)}
      const sink = auditToStream(process.stdout)
      const outcomes = []
      process.stdin.on('data', () => {
        let outcome = sink.healthy() ? 'healthy' : 'unhealthy'
        try { sink.write({ id: 'x' }) } catch (error) { outcome += ' ' + error.code }
        outcomes.push(outcome)
        if (outcomes.length === 3) { process.stderr.write(outcomes.join('\\n')); process.exit() }
        process.stderr.write('')
      })
      process.stderr.write('ready\\n')
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script])
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk
    })
    const ended = new Promise((resolve) => child.on('exit', resolve))
    await vi.waitFor(() => expect(said).toContain('ready'), { timeout: 20_000 })
    child.stdout.destroy()
    for (let n = 0; n < 3; n += 1) {
      child.stdin.write('go')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await ended
    expect(said.split('\n').slice(1)).toEqual([
      'healthy ERR_AUDIT_UNAVAILABLE',
      'unhealthy ERR_AUDIT_UNAVAILABLE',
      'unhealthy ERR_AUDIT_UNAVAILABLE',
    ])
  })

  it('are with the reader when close resolves, and the stream is left open', async () => {
    const { stream, text, read } = reader()
    const sink = auditToStream(stream)
    sink.write(record('a'))
    sink.write(record('b'))
    let closed = false
    const closing = sink.close?.().then(() => {
      closed = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(false)
    read()
    await closing
    expect(idsIn(text())).toEqual(['a', 'b'])
    expect(stream.writable).toBe(true)
  })

  it('of many tenants share a stream without a listener each', () => {
    const stream = new PassThrough()
    for (let n = 0; n < 20; n += 1) auditToStream(stream)
    expect(stream.listenerCount('error')).toBe(1)
  })
})
