import { spawn } from 'node:child_process'
import { PassThrough, Writable } from 'node:stream'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
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
    const stream = new Writable({
      write: (_, __, done) => void setImmediate(done, new Error('EPIPE')),
      autoDestroy: false,
    })
    const errors: unknown[] = []
    stream.on('error', (error) => errors.push(error))
    const sink = auditToStream(stream)
    sink.write(record('a'))
    await vi.waitFor(() => expect(errors).toHaveLength(1))
    Object.defineProperty(stream, 'writable', { value: true })
    expect(sink.healthy?.()).toBe(false)
    expect(() => sink.write(record('b'))).toThrow(unavailable)
  })

  it.skipIf(process.platform === 'win32')('to a standard output that nobody reads are refused, each', async () => {
    const script = `
      import process from 'node:process'
      import { auditToStream } from ${JSON.stringify(new URL('../../src/audit/index.ts', import.meta.url).href)}
      const sink = auditToStream(process.stdout)
      process.on('message', () => {
        const healthy = sink.healthy()
        try {
          sink.write({ id: 'x' })
          process.send([healthy, 'written'])
        } catch ({ code }) {
          process.send([healthy, code])
        }
      })
      process.send('ready')
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    })
    onTestFinished(() => void child.kill())
    const answer = () => new Promise((resolve) => child.once('message', resolve))
    await answer()
    const closed = new Promise((resolve) => child.stdout?.once('close', resolve))
    child.stdout?.destroy()
    await closed
    const outcomes: unknown[] = []
    for (let n = 0; n < 3; n += 1) {
      child.send('write')
      outcomes.push(await answer())
    }
    expect(outcomes).toEqual([
      [true, 'ERR_AUDIT_UNAVAILABLE'],
      [false, 'ERR_AUDIT_UNAVAILABLE'],
      [false, 'ERR_AUDIT_UNAVAILABLE'],
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
