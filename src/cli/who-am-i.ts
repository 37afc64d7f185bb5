import type { KubeObject, Resource } from '../api/index.ts'
import type { KubeClient } from '../kube/index.ts'

type Review = KubeObject & { readonly status?: { readonly userInfo?: { readonly username?: string } } }

const reviews: Resource<Review> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
}

/** The user that the API server takes us for. */
export async function whoAmI(client: KubeClient): Promise<string> {
  const review = await client.create(reviews, { metadata: { name: '' } }, { fieldManager: 'taskmill-cli' })
  return review.status?.userInfo?.username ?? 'somebody'
}
