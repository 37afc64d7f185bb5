/**
 * Images for the local cluster: the base (Node on Debian), Redis and the product, each an archive in
 * the cache that is made again only when something that goes into it changed.
 */
import { join } from 'node:path'
import { hashOf } from '../cluster/cache.ts'
import type { Progress } from '../cluster/progress.ts'
import { buildImage, nodeImage } from './base.ts'
import { createBuilder } from './builder.ts'
import type { Image } from './tool.ts'

const repository = join(import.meta.dirname, '..', '..')
/** Everything that the product's Dockerfile copies. */
const productInputs = [
  'Dockerfile',
  '.dockerignore',
  'package.json',
  'package-lock.json',
  '.npmrc',
  'tsconfig.json',
  'tsconfig.build.json',
  'hack/build.ts',
  'src',
]

export type Images = {
  node(): Promise<Image>
  redis(): Promise<Image>
  product(): Promise<Image>
}

export function createImages(progress: Progress): Images {
  const builder = createBuilder()
  let base: ReturnType<typeof nodeImage> | undefined
  const node = async (): ReturnType<typeof nodeImage> => (base ??= nodeImage(await builder, progress))

  return {
    node: async () => (await node()).image,
    redis: async () => {
      const from = await node()
      const key = await hashOf({ texts: [from.key], paths: [join(import.meta.dirname, 'redis.Dockerfile')] })
      const recipe = {
        name: 'localhost/taskmill-redis:7',
        key,
        expectedSeconds: 20,
        context: import.meta.dirname,
        dockerfile: 'redis.Dockerfile',
        bases: from.made,
        buildArguments: { NODE_IMAGE: from.name },
      }
      return (await builder).build(recipe, progress)
    },
    product: async () => {
      const from = await node()
      const build = await buildImage(await builder, from, progress)
      const key = await hashOf({
        texts: [from.key, build.key],
        paths: productInputs.map((path) => join(repository, path)),
        except: /\.test\.ts$/,
      })
      const buildArguments = { NODE_IMAGE: from.name, BUILD_IMAGE: build.name }
      const recipe = {
        name: 'localhost/taskmill:dev',
        key,
        expectedSeconds: 25,
        context: repository,
        dockerfile: 'Dockerfile',
        bases: build.made,
        buildArguments,
      }
      return (await builder).build(recipe, progress)
    },
  }
}
