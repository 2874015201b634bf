//! What sorts of secrets there are, and what stands in their place.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// What sort of secret was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum SecretKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)+
        }

        impl SecretKind {
            /// Every kind.
            pub const ALL: &[SecretKind] = &[$(SecretKind::$kind),+];

            /// Its name, as masks and answers write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(SecretKind::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A key of OpenAI, or of a service that took its form over.
    OpenaiKey = "openai-key",
    /// A key of Anthropic.
    AnthropicKey = "anthropic-key",
    /// A token of GitHub.
    GithubToken = "github-token",
    /// A token of GitLab.
    GitlabToken = "gitlab-token",
    /// The id of an access key of AWS.
    AwsKey = "aws-key",
    /// A key or token of Google.
    GoogleKey = "google-key",
    /// A token or web hook of Slack.
    SlackToken = "slack-token",
    /// A key of Stripe.
    StripeKey = "stripe-key",
    /// A key of another service, recognised by how it begins.
    ApiKey = "api-key",
    /// A JSON Web Token.
    Jwt = "jwt",
    /// What stands behind `Bearer` or `Authorization: Basic`.
    BearerToken = "bearer-token",
    /// A private key in PEM or of age.
    PrivateKey = "private-key",
    /// The password in an address (`scheme://name:password@host`).
    UrlPassword = "url-password",
    /// What a setting, an option or a line calls a password.
    Password = "password",
    /// What a setting, an option or a line calls a token, a secret or a key.
    AssignedSecret = "secret",
}

impl SecretKind {
    /// What stands in the place of such a secret.
    pub fn mask(self) -> String {
        format!("[masked:{}]", self.name())
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
