import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AuditRecord } from '../../src/core/audit.ts'
import { auditOutbox, auditStreams, type Lines } from '../../src/workers/records.ts'

const record = (id: string): AuditRecord => ({
  time: '2026-03-01T10:15:30.250Z',
  event: 'exchange',
  id,
  tenant: 'default',
  result: 'issued',
  trace: [],
  duration_us: 1,
})

const word = (value: number) => {
  const memory = new SharedArrayBuffer(4)
  Atomics.store(new Int32Array(memory), 0, value)
  return memory
}

function outbox(limit = 4) {
  const sent: Lines[] = []
  const health = word(1)
  const taken = word(0)
  const made = auditOutbox({ send: (lines) => sent.push(lines), health: () => new Map([['a', health]]), taken, limit })
  return {
    ...made,
    sent,
    setHealthy: (value: boolean) => Atomics.store(new Int32Array(health), 0, value ? 1 : 0),
    take: (count: number) => Atomics.add(new Int32Array(taken), 0, count),
  }
}

describe('records of a worker', () => {
  it('go out together, those of some milliseconds for each stream, in their order', async () => {
    const { sink, sent, flush } = outbox()
    const [first, second] = [sink('a'), sink(undefined)]
    first.write(record('1'))
    second.write(record('2'))
    first.write(record('3'))
    expect(sent).toEqual([])
    await expect.poll(() => sent.length).toBe(2)
    expect(sent.map(({ file, lines }) => [file, lines.map((line) => JSON.parse(line).id)])).toEqual([
      ['a', ['1', '3']],
      ['', ['2']],
    ])
    first.write(record('4'))
    flush()
    expect(sent).toHaveLength(3)
  })

  it('keep exchanges from being made when too many are on the way, and are refused beyond twice as many', async () => {
    const { sink, take } = outbox(4)
    const one = sink('a')
    for (let n = 0; n < 4; n += 1) one.write(record(`${n}`))
    expect(one.healthy?.()).toBe(false)
    for (let n = 4; n < 8; n += 1) one.write(record(`${n}`))
    expect(() => one.write(record('8'))).toThrow(expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }))
    take(5)
    expect(one.healthy?.()).toBe(true)
    one.write(record('9'))
  })

  it('know whether their stream can be written, and take one that is not known for one that cannot', () => {
    const { sink, setHealthy } = outbox()
    expect(sink('a').healthy?.()).toBe(true)
    setHealthy(false)
    expect(sink('a').healthy?.()).toBe(false)
    expect(sink('b').healthy?.()).toBe(false)
  })
})

describe('the streams of the main thread', () => {
  it('are one for each file, whoever names it, and write whole lines', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dragoman-records-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'audit.jsonl')
    const streams = auditStreams()
    onTestFinished(() => streams.stop())
    const sink = streams.open(file)
    expect(streams.open(file)).toBe(sink)
    streams.write({ file, lines: ['{"a":1}\n', '{"a":2}\n'] })
    streams.write({ file, lines: ['{"a":3}\n'] })
    await sink.close?.()
    expect(readFileSync(file, 'utf8')).toBe('{"a":1}\n{"a":2}\n{"a":3}\n')
    // Lost, and known to be: what comes now finds the stream not healthy.
    expect(() => streams.write({ file, lines: ['{"a":4}\n'] })).toThrow(
      expect.objectContaining({ code: 'ERR_AUDIT_UNAVAILABLE' }),
    )
    const health = streams.health().get(file)
    expect(health && Atomics.load(new Int32Array(health), 0)).toBe(0)
  })
})
