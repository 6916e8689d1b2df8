import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsePem, pem } from '../../src/wire/pem.ts'

const malformed = expect.objectContaining({ code: 'ERR_TOKEN_MALFORMED' })
const block = pem('CERTIFICATE', Buffer.from('hello'))

test('a block has lines of 64 and comes back as it was', () => {
  const long = pem('CERTIFICATE', Buffer.alloc(100, 1))
  expect(long.split('\n').map((line) => line.length)).toEqual([27, 64, 64, 8, 25, 0])
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 }), (parts) => {
      const text = parts.map((part) => pem('CERTIFICATE', part)).join('')
      expect(parsePem(text, { comments: false }).map(({ der }) => [...der])).toEqual(parts.map((part) => [...part]))
    }),
    { numRuns: Number(process.env['FUZZ_RUNS'] ?? 50) },
  )
})

test('labels are kept', () => {
  const blocks = parsePem(pem('PRIVATE KEY', Buffer.of(1)) + pem('X509 CRL', Buffer.of(2)))
  expect(blocks.map(({ label }) => label)).toEqual(['PRIVATE KEY', 'X509 CRL'])
})

test('line ends of Windows are taken, and a missing last one', () => {
  expect(parsePem(block.replaceAll('\n', '\r\n'))).toHaveLength(1)
  expect(parsePem(block.trimEnd())).toHaveLength(1)
})

test('text between blocks is passed over in files and refused in tokens', () => {
  const text = `# the authority\n${block}\nsubject: CN=x\n${block}`
  expect(parsePem(text)).toHaveLength(2)
  expect(() => parsePem(text, { comments: false })).toThrow(malformed)
  expect(parsePem(`\n${block}\n \n${block}`, { comments: false })).toHaveLength(2)
})

describe('refuses', () => {
  test.each([
    ['nothing', ''],
    ['a text without blocks', 'hello'],
    ['a block without end', block.replace(/-----END.*/, '')],
    ['a block with the end of another', block.replace('END CERTIFICATE', 'END PRIVATE KEY')],
    ['a block inside a block', block.replace('\n', `\n${block}`)],
    ['an empty block', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['a block that starts inside a line', ` ${block}`],
    ['two blocks on one line', block.replaceAll('\n', '')],
    ['encapsulated headers', block.replace('\n', '\nProc-Type: 4,ENCRYPTED\n\n')],
    ['white space inside', block.replace('aGVs', 'aG Vs')],
    ['padding that is missing', block.replace('=', '')],
    ['bits that are not used', block.replace('bG8=', 'bG9=')],
    ['the other alphabet', pem('CERTIFICATE', Buffer.from('fbff', 'hex')).replace('+/', '-_')],
    ['characters that are none of base64', block.replace('aGVs', 'aG$s')],
  ])('%s', (_, text) => {
    expect(() => parsePem(text)).toThrow(malformed)
  })

  test('more text or more blocks than anybody has', () => {
    const tooLarge = expect.objectContaining({ code: 'ERR_TOKEN_TOO_LARGE' })
    expect(() => parsePem('x'.repeat(1024 * 1024 + 1))).toThrow(tooLarge)
    expect(() => parsePem(block.repeat(513))).toThrow(tooLarge)
  })
})
