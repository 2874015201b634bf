//! Answering with what was said before: recall, prompt, model, and both sides stored with their sources.

use std::collections::HashSet;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::answer::Answering;
use super::prompt::{self, Passage, Prompt, Recalled};
use super::suggest::title;
use super::{Actor, Memory, check, chunk, guard, scope};
use crate::api::Patch;
use crate::api::chat::{ChatCancel, ChatCancelled, ChatEvent, ChatParams, ChatPreview, ChatResult};
use crate::api::event::Action;
use crate::api::limits::{MAX_CONTENT_BYTES, MAX_HITS};
use crate::api::search::{Hit, SearchFilter, SearchMode, SearchParams};
use crate::config::Recall;
use crate::error::{Error, Kind, Result};
use crate::llm::Choice;
use crate::model::{self, Conversation, ConversationId, Message, MessageId, Role, Summary, Timestamp};
use crate::secrets::SecretPlace;
use crate::store;

/// Pieces of an answer that wait for a slow reader before the model is kept waiting too.
const MAX_WAITING_PIECES: usize = 256;
/// Recent turns that are read for a prompt at most; more than any context takes.
const MAX_BRANCH_BYTES: usize = 1 << 20;
/// Hits asked for each passage wanted: some are in the live window, some say the same.
const HITS_PER_PASSAGE: u32 = 3;
/// A question of fewer words than this is searched together with the question before it ("and in winter?").
const FEW_WORDS: usize = 4;
/// Tokens of a prompt that no model will read: enough for a handful of passages to quote from.
const QUOTING_TOKENS: u32 = 8192;
/// Memories that always hold and are read for a prompt at most; its budget decides how many go in.
const MAX_STANDING: usize = 200;

/// An answer that is being written. Dropping it cancels: the model stops, what had come is kept.
pub struct Asking {
    events: mpsc::Receiver<ChatEvent>,
    _cancel: DropGuard,
}

impl Asking {
    /// The next event; none after the last one.
    pub async fn next(&mut self) -> Option<ChatEvent> {
        self.events.recv().await
    }
}

/// All that is known before the model is asked.
pub(super) struct Prepared {
    pub conversation: Option<Conversation>,
    pub conversation_id: ConversationId,
    pub question_id: MessageId,
    pub choice: Choice,
    pub prompt: Prompt,
    pub notices: Vec<String>,
    pub params: ChatParams,
}

impl Memory {
    /// Begins to answer. Errors that the caller can mend come here; later ones come as events.
    pub async fn ask(&self, params: ChatParams, actor: &Actor) -> Result<Asking> {
        self.begin(params, actor, self.0.stop.child_token()).await
    }

    async fn begin(&self, params: ChatParams, actor: &Actor, cancel: CancellationToken) -> Result<Asking> {
        let (mut params, found) = self.guarded_question(params).await?;
        let again = self.asked_again(&mut params).await?;
        let question_id = *params.message_id.get_or_insert_with(MessageId::new);
        let claim = self.0.running.claim(question_id, cancel.clone())?;
        let (sender, events) = mpsc::channel(MAX_WAITING_PIECES);
        let asked = match again {
            Some(question) => Some(question),
            None => self.asked_before(&params).await?,
        };
        if let Some(answer) = self.answered_before(&params, asked.as_ref()).await? {
            // the channel was just made and has room for both
            let _ = sender.try_send(ChatEvent::Sources {
                conversation_id: answer.conversation_id,
                question_id,
                model: answer.model.clone(),
                sources: answer.sources.clone(),
                notices: Vec::new(),
            });
            let _ = sender.try_send(ChatEvent::Done(answer));
            return Ok(Asking { events, _cancel: cancel.drop_guard() });
        }
        let prepared = self.prepare(params, asked, found, actor).await?;
        let (memory, actor) = (self.clone(), actor.clone());
        let answering = Answering { prepared, actor, events: sender, cancel: cancel.clone(), claim };
        self.0.tasks.spawn(async move { memory.answer(answering).await });
        Ok(Asking { events, _cancel: cancel.drop_guard() })
    }

    /// Asks and waits for the whole answer.
    pub async fn complete(&self, params: ChatParams, actor: &Actor) -> Result<ChatResult> {
        let mut asking = self.begin(params, actor, self.0.stop_answers.child_token()).await?;
        while let Some(event) = asking.next().await {
            match event {
                ChatEvent::Sources { .. } | ChatEvent::Delta { .. } => {}
                ChatEvent::Done(result) | ChatEvent::Cancelled(result) => return Ok(result),
                ChatEvent::Error { kind, message, hint, retryable: _, partial: _ } => {
                    let kind = Kind::from_name(&kind).unwrap_or(Kind::Internal);
                    let error = Error::new(kind, message);
                    return Err(match hint {
                        Some(hint) => error.hint(hint),
                        None => error,
                    });
                }
            }
        }
        Err(Error::internal("the answer ended without a last event"))
    }

    /// The exact prompt, without asking a model.
    pub async fn preview(&self, params: ChatParams, actor: &Actor) -> Result<ChatPreview> {
        let (mut params, found) = self.guarded_question(params).await?;
        let asked = match self.asked_again(&mut params).await? {
            Some(question) => Some(question),
            None => self.asked_before(&params).await?,
        };
        let prepared = self.prepare(params, asked, found, actor).await?;
        let model = prepared.model_name();
        let Prepared { prompt, notices, .. } = prepared;
        Ok(ChatPreview {
            model,
            messages: prompt.messages,
            sources: prompt.sources,
            prompt_tokens: prompt.prompt_tokens,
            budget_tokens: prompt.budget_tokens,
            notices,
        })
    }

    /// Stops the answer to a question.
    pub fn cancel_answer(&self, cancel: ChatCancel) -> ChatCancelled {
        ChatCancelled { cancelled: self.0.running.cancel(cancel.question_id) }
    }

    /// `asked`: the question as it is stored, where this is a retry. `found`: the secrets in it.
    async fn prepare(
        &self,
        params: ChatParams,
        asked: Option<Message>,
        found: Vec<SecretPlace>,
        actor: &Actor,
    ) -> Result<Prepared> {
        check::query(&params.content)?;
        check::name("the model", params.model.as_deref())?;
        check::name("the project", params.project.as_deref())?;
        let attached = params.attachment.as_deref().map_or(0, str::len);
        if params.content.len() + attached > MAX_CONTENT_BYTES {
            let message = format!("question and attachment have more than {MAX_CONTENT_BYTES} bytes");
            return Err(Error::new(Kind::TooLarge, message).hint("attach the part that matters"));
        }
        let question_id = params.message_id.unwrap_or_else(MessageId::new);
        // a client that never heard the answer does not know the conversation that its question began
        let known = params.conversation_id.or(asked.map(|question| question.conversation_id));
        let (conversation, mut branch) = match known {
            None => (None, Vec::new()),
            Some(id) => {
                let conversation = self.store().conversation(id).await?;
                let branch = match params.parent_id {
                    Patch::Keep => self.store().branch(id, None, MAX_BRANCH_BYTES).await?,
                    Patch::Clear => Vec::new(),
                    Patch::Set(parent) => self.store().branch(id, Some(parent), MAX_BRANCH_BYTES).await?,
                };
                (Some(conversation), branch)
            }
        };
        // a retry: the question stands there already, and what comes after it is its answer
        let place = branch.iter().position(|message| message.id == question_id).unwrap_or(branch.len());
        let mut tried = branch.split_off(place);
        if params.regenerate.is_some() {
            tried.extend(self.said_after(question_id).await?);
        }
        let config = self.config();
        let choice = self.llm().choose(params.model.as_deref().or(config.chat.model.as_deref())).await?;
        let mut notices: Vec<String> = guard::notice("the question", &found).into_iter().collect();
        let summary = match branch.last() {
            Some(leaf) => self.store().summary_of_branch(leaf.id).await?,
            None => None,
        };
        let covered = |summary: &Summary| branch.iter().position(|turn| turn.id == summary.last_message_id);
        let recent = &branch[summary.as_ref().and_then(covered).map_or(0, |last| last + 1)..];
        let project =
            params.project.clone().or(conversation.as_ref().and_then(|found| found.project.clone()));
        let (instructions, facts) = self.standing(project, &choice).await?;
        let filter = scope::recalled_from(&params, conversation.as_ref(), actor)?;
        let (standing, turns) = ((instructions.as_slice(), facts), (recent, tried.as_slice()));
        let recalled = self.recall(&params, filter, standing, turns, &config.recall, &mut notices).await?;
        let context_tokens = match &choice {
            Choice::Model(model) => model.context_tokens,
            Choice::Extractive { notice } => {
                notices.push(notice.clone());
                QUOTING_TOKENS
            }
        };
        let budget = prompt::Budget {
            context_tokens: config.chat.context_tokens.unwrap_or(context_tokens),
            max_answer_tokens: config.chat.max_answer_tokens,
            standing_share: config.recall.standing_share,
            recent_share: config.recall.recent_share,
            recalled_share: config.recall.recalled_share,
        };
        let mut prompt = prompt::make(prompt::Input {
            question: &params.content,
            attachment: params.attachment.as_deref(),
            system: params.system.as_deref(),
            recent,
            summary: summary.as_ref(),
            instructions: &instructions,
            recalled,
            templates: &config.prompts,
            now: Timestamp::now(),
            budget,
        })?;
        notices.append(&mut prompt.notices);
        let conversation_id = conversation.as_ref().map_or_else(ConversationId::new, |found| found.id);
        Ok(Prepared { conversation, conversation_id, question_id, choice, prompt, notices, params })
    }

    /// What always holds, everywhere or in this project: what the model is told to do, and what it is told.
    async fn standing(
        &self,
        project: Option<String>,
        choice: &Choice,
    ) -> Result<(Vec<Passage>, Vec<Passage>)> {
        let standing = match choice {
            Choice::Model(_) => self.store().standing(project, MAX_STANDING).await?,
            // they tell a model how to answer; quoted, they would stand there as if they were the answer
            Choice::Extractive { .. } => Vec::new(),
        };
        let (instructions, facts): (Vec<_>, Vec<_>) =
            standing.into_iter().partition(|memory| memory.kind == model::Memory::INSTRUCTION);
        let passages = |memories: Vec<model::Memory>| memories.into_iter().map(Passage::from).collect();
        Ok((passages(instructions), passages(facts)))
    }

    /// What was said before and matters, never what stands in the live window (`branch`, the turns that are not summed up)
    /// nor what was answered to this very question before (`tried`), nor what is told as an instruction. None where
    /// nothing is to be recalled.
    async fn recall(
        &self,
        params: &ChatParams,
        filter: Option<SearchFilter>,
        (instructions, facts): (&[Passage], Vec<Passage>),
        (branch, tried): (&[Message], &[Message]),
        settings: &Recall,
        notices: &mut Vec<String>,
    ) -> Result<Option<Recalled>> {
        let wanted = params.memory.limit.unwrap_or(settings.limit).min(MAX_HITS);
        let Some(filter) = filter.filter(|_| params.memory.enabled != Some(false) && wanted > 0) else {
            return Ok(None);
        };
        let mut standing = facts;
        standing.retain(|passage| scope::holds(passage, &filter));
        let search = SearchParams {
            query: question_to_search(&params.content, branch),
            limit: Some((wanted * HITS_PER_PASSAGE).saturating_add(branch.len() as u32).min(MAX_HITS)),
            mode: SearchMode::Hybrid,
            literal: true,
            filter,
            context: None,
            explain: false,
        };
        let found = self.search(search).await?;
        for passage in &mut standing {
            let hit = found.hits.iter().find(|hit| hit.id == passage.id);
            passage.score = hit.map_or(0.0, |hit| hit.score);
        }
        if let Some(problem) = found.served.problem {
            notices.push(format!("recalled by words only: {problem}"));
        }
        let live = branch.iter().chain(tried).map(|message| message.id).chain(params.message_id);
        let live = live.map(|id| Uuid::from_bytes(*id.as_bytes()));
        let exclude: HashSet<Uuid> = live.chain(instructions.iter().map(|passage| passage.id)).collect();
        let hits = found.hits.into_iter().filter(|hit| !exclude.contains(&hit.id));
        let passages = distinct(&params.content, hits).take(wanted as usize).map(Passage::from).collect();
        Ok(Some(Recalled { standing, passages, exclude }))
    }

    /// Stores the question, durable before the model is asked, so that no failure loses it.
    pub(super) async fn store_question(&self, prepared: &Prepared, actor: &Actor) -> Result<()> {
        let Prepared { conversation, conversation_id, question_id, params, .. } = prepared;
        if params.regenerate.is_some() {
            return Ok(());
        }
        let content = question_text(params);
        let create = conversation.is_none().then(|| store::NewConversation {
            id: *conversation_id,
            title: Some(title(&params.content)),
            project: params.project.clone(),
            model: Some(prepared.model_name()),
            folder: None,
            tags: Vec::new(),
            private: params.private,
            metadata: None,
            created_at: Timestamp::now(),
        });
        let is_new = create.is_some();
        let chunks = chunk::chunk(&content);
        let question = store::NewMessage {
            id: *question_id,
            parent: params.parent_id.clone(),
            ..store::NewMessage::new(Role::User, content, chunks)
        };
        let append = store::Append {
            conversation: *conversation_id,
            create,
            messages: vec![question],
            client: actor.client.clone(),
        };
        let appended = self.store().append(append).await?;
        if is_new {
            self.0.events.conversation(actor, Action::ConversationCreated, *conversation_id);
        }
        if appended.fresh.contains(&true) {
            self.0.events.messages(actor, Action::MessagesAppended, *conversation_id, vec![*question_id]);
            self.wake();
        }
        Ok(())
    }

    /// Stores an answer, whole or partial, behind its question.
    pub(super) async fn store_answer(
        &self,
        prepared: &Prepared,
        actor: &Actor,
        answer: &ChatResult,
    ) -> Result<MessageId> {
        let id = prepared.params.answer_id.unwrap_or_else(MessageId::new);
        let message = store::NewMessage {
            id,
            parent: Patch::Set(prepared.question_id),
            model: Some(answer.model.clone()),
            status: Some(answer.status),
            sources: answer.sources.clone(),
            usage: answer.usage,
            ..store::NewMessage::new(Role::Assistant, answer.content.clone(), chunk::chunk(&answer.content))
        };
        let append = store::Append {
            conversation: prepared.conversation_id,
            create: None,
            messages: vec![message],
            client: actor.client.clone(),
        };
        self.store().append(append).await?;
        self.0.events.messages(actor, Action::MessagesAppended, prepared.conversation_id, vec![id]);
        self.wake();
        self.reflect_on(prepared).await;
        Ok(id)
    }
}

impl Prepared {
    /// Who will answer.
    pub(super) fn model_name(&self) -> String {
        match &self.choice {
            Choice::Model(model) => model.name.clone(),
            Choice::Extractive { .. } => model::EXTRACTIVE.into(),
        }
    }

    /// Whether question and answer are stored.
    pub(super) fn is_stored(&self) -> bool {
        self.params.store != Some(false)
    }

    pub(super) fn sources_event(&self, sources: Vec<crate::model::Source>) -> ChatEvent {
        ChatEvent::Sources {
            conversation_id: self.is_stored().then_some(self.conversation_id),
            question_id: self.question_id,
            model: self.model_name(),
            sources,
            notices: self.notices.clone(),
        }
    }
}

/// The question as it is stored.
pub(super) fn question_text(params: &ChatParams) -> String {
    match &params.attachment {
        None => params.content.clone(),
        Some(attachment) => format!("{}\n\n{attachment}", params.content),
    }
}

/// What is searched with: the question, and where it is short the question before it, which it leans on.
fn question_to_search(question: &str, branch: &[Message]) -> String {
    let before = branch.iter().rev().find(|message| message.role == Role::User);
    match before {
        Some(before) if question.split_whitespace().count() < FEW_WORDS => {
            let before: String = before.content.chars().take(500).collect();
            format!("{before}\n{question}")
        }
        _ => question.to_owned(),
    }
}

/// Leaves out passages that say word for word what the question or a better one says: the same question, asked
/// before, answers nothing.
fn distinct(question: &str, hits: impl Iterator<Item = Hit>) -> impl Iterator<Item = Hit> {
    let said = |text: &str| text.trim().to_lowercase();
    let mut seen = HashSet::from([said(question)]);
    hits.filter(move |hit| seen.insert(said(&hit.text)))
}
