/** Archives of images in the cache, named by what they were made from; a few old ones are kept. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { cacheFolder, cached, lock } from '../cluster/cache.ts'
import { dockerAnswers } from '../cluster/kind.ts'
import type { Progress } from '../cluster/progress.ts'
import { buildahTool } from './buildah.ts'
import { dockerTool } from './docker.ts'
import type { Image, ImageTool } from './tool.ts'

export type ImageRecipe = {
  readonly name: string
  /** Hash over everything that goes into it. */
  readonly key: string
  readonly expectedSeconds: number
  /** A folder that is there, or what fills an empty one. */
  readonly context: string | ((folder: string) => Promise<void>)
  readonly dockerfile: string
  readonly bases?: readonly Image[]
  readonly buildArguments?: Readonly<Record<string, string>>
}

export type Builder = {
  readonly kind: ImageTool['kind']
  /** The image, built unless the cache has it. */
  build(recipe: ImageRecipe, progress: Progress): Promise<Image>
}

/** Going back to another branch should cost nothing. */
const keptArchives = 3

export async function createBuilder(): Promise<Builder> {
  const tool = (await dockerAnswers()) ? dockerTool() : buildahTool()
  return { kind: tool.kind, build: (recipe, progress) => buildOnce(tool, recipe, progress) }
}

async function buildOnce(tool: ImageTool, recipe: ImageRecipe, progress: Progress): Promise<Image> {
  const { name, key, bases = [], buildArguments = {}, dockerfile } = recipe
  const folder = join(cacheFolder(), 'images')
  const prefix = `${name.replace(/^localhost\//, '').replaceAll(/[/:]/g, '-')}-`
  const image: Image = { name, reference: referenceOf(name, key), archive: join(folder, `${prefix}${key}.tar`) }
  await cached(image.archive, async (archive) => {
    // Two builds at once are only slower on a small machine.
    const release = await lock(join(folder, 'build'))
    try {
      await progress.step(`building ${name}`, { expectedSeconds: recipe.expectedSeconds }, (report) => {
        const onLine = (line: string): void => report.note(line.slice(0, 60))
        return inContext(recipe, (context) => tool.build({ ...image, archive, context, dockerfile, bases, buildArguments, onLine }))
      })
    } finally {
      await release()
    }
    for (const old of await oldArchives(folder, prefix)) {
      await rm(old, { force: true })
      await tool.forget(referenceOf(name, basename(old, '.tar').slice(prefix.length)))
    }
  })
  return image
}

function referenceOf(name: string, key: string): string {
  return `${name}-${key}`
}

/** Those that the new one makes superfluous. */
async function oldArchives(folder: string, prefix: string): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.startsWith(prefix) && file.endsWith('.tar')).map((file) => join(folder, file))
  const dated = await Promise.all(files.map(async (file) => ({ file, atMs: (await stat(file)).mtimeMs })))
  const newestFirst = dated.toSorted((a, b) => b.atMs - a.atMs)
  return newestFirst.slice(keptArchives - 1).map(({ file }) => file)
}

async function inContext(recipe: ImageRecipe, work: (context: string) => Promise<void>): Promise<void> {
  if (typeof recipe.context === 'string') return work(recipe.context)
  const folder = await mkdtemp(join(cacheFolder(), 'context-'))
  try {
    await recipe.context(folder)
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
