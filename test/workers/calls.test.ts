import { MessageChannel } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gone, inTime, peer, unlessGone, within } from '../../src/workers/calls.ts'

type Theirs = {
  double(value: number): Promise<number>
  fail(): void
  note(text: string): void
}

function pair() {
  const { port1, port2 } = new MessageChannel()
  onTestFinished(() => port1.close())
  const notes: string[] = []
  peer(port2, {
    double: async (value: number) => 2 * value,
    fail() {
      throw new Error('no')
    },
    note: (text: string) => void notes.push(text),
  })
  return { asker: peer<Theirs>(port1, {}), notes }
}

describe('questions between threads', () => {
  it('are answered each with its own answer', async () => {
    const { asker } = pair()
    const answers = await Promise.all([1, 2, 3].map((value) => asker.ask('double', value)))
    expect(answers).toEqual([2, 4, 6])
  })

  it('are refused with what was thrown there', async () => {
    await expect(pair().asker.ask('fail')).rejects.toThrow('no')
  })

  it('arrive in the order in which they were sent, told or asked', async () => {
    const { asker, notes } = pair()
    asker.tell('note', 'a')
    asker.tell('note', 'b')
    await asker.ask('note', 'c')
    expect(notes).toEqual(['a', 'b', 'c'])
  })

  it('hear that the thread has ended, those that wait and those that come', async () => {
    const { asker } = pair()
    const waiting = asker.ask('double', 1)
    asker.gone()
    await expect(waiting).rejects.toThrow(Gone)
    await expect(asker.ask('double', 1)).rejects.toThrow(Gone)
    expect(await unlessGone(asker.ask('double', 1))).toBeUndefined()
    await expect(unlessGone(Promise.reject(new TypeError('other')))).rejects.toThrow(TypeError)
    expect(() => asker.tell('note', 'nobody hears it')).not.toThrow()
  })

  it('are given up in time', async () => {
    const never = new Promise<number>(() => {})
    await expect(inTime(1, never)).rejects.toThrow('does not answer')
    expect(await within(1, never)).toBeUndefined()
    expect(await within(10_000, Promise.resolve(1))).toBe(1)
    expect(await within(10_000, Promise.reject(new Error('no')))).toBeUndefined()
  })
})
