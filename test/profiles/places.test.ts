import { describe, expect, it } from 'vitest'
import { readSource } from '../../src/profiles/source.ts'

const TEXT = `# A comment.
name: one
accept:
  clients: [demo, orders]
  subject:
    format: jwt
"quoted.name": { "a b": 1 }
stages:
  - validity: { lifetime: 300 }
  - format:
      to: jwt
empty:
`

const { place, file } = readSource({ file: 'one.yaml', text: TEXT }).origin()
const at = (path: string) => {
  const { line, column, path: found } = place(path)
  return [line, column, found]
}

describe('where the parts of a file stand', () => {
  it.each([
    ['a value on the line of its name', 'name', [2, 7]],
    ['a list in brackets', 'accept.clients', [4, 12]],
    ['an entry of it', 'accept.clients[1]', [4, 19]],
    ['a map below its name, by the name', 'accept.subject', [5, 3]],
    ['an option inside it', 'accept.subject.format', [6, 13]],
    ['an entry of a list', 'stages[1]', [10, 5]],
    ['a map in an entry', 'stages[0].validity', [9, 15]],
    ['an option in it', 'stages[0].validity.lifetime', [9, 27]],
    ['a name that is no plain one', '["quoted.name"]["a b"]', [7, 25]],
    ['a name without a value', 'empty', [12, 1]],
  ])('%s', (_, path, [line, column]) => expect(at(path)).toEqual([line, column, path]))

  it('of what is not there, the nearest above it', () => {
    expect(at('accept.subject.audience')).toEqual([5, 3, 'accept.subject'])
    expect(at('stages[0].validity.scope.allow[3]')).toEqual([9, 15, 'stages[0].validity'])
    expect(at('nothing.of.the.kind')).toEqual([2, 1, ''])
  })

  it('are called by the name of the file', () => {
    expect(file).toBe('one.yaml')
    expect(place('name').file).toBe('one.yaml')
  })

  it('can be told of an empty file', () => {
    expect(readSource({ file: 'none.yaml', text: '' }).origin().place('name')).toMatchObject({ line: 1, column: 1 })
  })
})
