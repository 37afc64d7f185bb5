/** What people copy from the pages is right: each YAML block passes `taskmill lint --strict`. */
import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { lint } from '../../src/lint/index.ts'
import { blocksOf } from '../architecture/pages.ts'

const blocks = globSync(['README.md', 'docs/*.md', 'examples/**/*.md'])
  .toSorted()
  .flatMap((page) => blocksOf(readFileSync(page, 'utf8'), 'yaml').map((block) => ({ at: `${page}:${block.line}`, text: block.text })))

it('the pages have YAML blocks', () => {
  expect(blocks.length).toBeGreaterThan(3)
})

it.each(blocks)('$at has nothing to correct', ({ at, text }) => {
  const { findings, manifests } = lint([{ path: `${at}/block.yaml`, text, isNamed: true }], { isComplete: false })
  expect(findings).toEqual([])
  // A block without an object of Taskmill would pass whatever it said.
  expect(manifests).toBeGreaterThan(0)
})
