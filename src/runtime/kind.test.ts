import { expect, it } from 'vitest'
import { watch } from './kind.ts'

it('a watch passes on the keys of each change until it ends', () => {
  const handlers = new Set<(key: string, current?: number) => void>()
  const source = {
    onChange(handler: (key: string, current?: number) => void) {
      handlers.add(handler)
      return () => void handlers.delete(handler)
    },
  }
  const announce = (key: string, current?: number) => handlers.forEach((handler) => handler(key, current))
  const got: (readonly string[])[] = []
  const end = watch('numbers', source, (key, current) => (current === undefined ? [] : [key, `${key}/${current}`])).subscribe((keys) => {
    got.push(keys)
  })
  announce('a', 1)
  announce('b')
  end()
  announce('c', 2)
  expect(got).toEqual([['a', 'a/1']])
})

it('a source that cannot be left is left alone', () => {
  const handlers: ((key: string) => void)[] = []
  const source = { onChange: (handler: (key: string) => void) => void handlers.push(handler) }
  const end = watch('keys', source, (key) => [key]).subscribe(() => undefined)
  expect(() => end()).not.toThrow()
})
