//! The table of everything that a client can ask for.

use super::backup::{
    Backup, BackupCreate as CreateBackup, BackupList as ListedBackups, BackupRestore as RestoreBackup,
    BackupRestored,
};
use super::chat::{ChatCancel, ChatCancelled, ChatEvent, ChatParams, ChatPreview, ChatResult};
use super::conversation::{
    ConversationCreate as CreateConversation, ConversationId, ConversationList as ListConversations,
    ConversationUpdate as UpdateConversation, Summarize, SummaryList, TagsSuggest, TagsSuggested,
    TitleSuggest, TitleSuggested,
};
use super::data::{ExportItem, ExportParams, ImportParams, ImportResult};
use super::event::{Event, EventParams};
use super::find::{ConversationSearch as SearchConversations, ConversationsFound};
use super::forget::{ForgetParams, ForgetReceipt, ForgetStatus as StatusOfForget};
use super::index::{IndexStatus as StatusOfIndex, RebuildParams, RebuildResult};
use super::job::{Job, JobList as ListJobs, JobRetried, JobRetry as RetryJobs};
use super::memory::{
    MemoriesMoved, MemoryAdd as AddMemory, MemoryAdded, MemoryApplied, MemoryApply as ApplyOperations,
    MemoryHistory as HistoryOfMemory, MemoryId, MemoryList as ListMemories, MemoryMove as MoveMemories,
    MemoryPathList, MemoryPaths as ListPaths, MemoryUpdate as UpdateMemory, ProposalAccept, ProposalList,
    ProposalReject, ProposalRejected, Proposals,
};
use super::message::{
    MessageAppend as AppendMessages, MessageAppended, MessageId, MessageList as ListMessages,
    MessageUpdate as UpdateMessage,
};
use super::organise::{
    DeleteMatching, Folder, FolderDelete as DeleteFolder, FolderMove as MoveFolder, FolderPath, NameList,
    Organise, Organised, Tag, TagName,
};
use super::search::{SearchParams, SearchResult};
use super::share::{Share, ShareItem};
use super::stats::{UsageParams, UsageStats};
use super::system::{
    Empty, InitializeParams, InitializeResult, ModelListResult, OpenRpcDocument,
    SystemStatus as StatusOfSystem,
};
use super::trash::{TrashList as ListTrash, TrashRestore as RestoreTrash, TrashRestored, Trashed};
use super::tree::{CloneWhole, Fork, MessageEdit as EditMessage, SetHead};
use super::watch::{
    Watch as WatchedFolder, WatchAdd as AddWatch, WatchList as ListOfWatches, WatchRemove as RemoveWatch,
    WatchRemoved,
};
use super::{Deleted, Page, Stored};
use crate::model::{Conversation, Memory, Message, Summary};

super::method::methods! {
    methods {
        /// Names the client and tells it what the daemon is, speaks and allows. Optional: every other call
        /// works without it, and is then credited to a client without a name.
        SystemInitialize = "system.initialize": InitializeParams => InitializeResult;
        /// How the daemon is: version, counts, queue, index, model, sizes, and which searches work.
        SystemStatus = "system.status": Empty => StatusOfSystem;
        /// This protocol as an OpenRPC document.
        RpcDiscover = "rpc.discover": Empty => OpenRpcDocument;

        /// Begins a conversation. Sending the same `id` again changes nothing and answers what is stored.
        ConversationCreate = "conversation.create": CreateConversation => Stored<Conversation>;
        /// One conversation, without its messages.
        ConversationGet = "conversation.get": ConversationId => Conversation;
        /// Conversations, the last changed first.
        ConversationList = "conversation.list": ListConversations => Page<Conversation>;
        /// Changes what is given; a member that is `null` is cleared, one that is absent stays.
        ConversationUpdate = "conversation.update": UpdateConversation => Stored<Conversation>;
        /// Shows another branch: the one that ends in a message, or that leads over it to the newest message below.
        ConversationSetHead = "conversation.setHead": SetHead => Conversation;
        /// Copies the branch that leads to a message into a new conversation.
        ConversationFork = "conversation.fork": Fork => Conversation;
        /// Copies a conversation with all its branches.
        ConversationClone = "conversation.clone": CloneWhole => Conversation;
        /// Finds conversations while somebody types: by the words of their titles and messages, the last of which
        /// may be the beginning of one.
        ConversationSearch = "conversation.search": SearchConversations => ConversationsFound;
        /// Pins, archives, tags, moves into folders and makes private, or the opposite: one conversation or many.
        ConversationOrganise = "conversation.organise": Organise => Organised;
        /// Moves a conversation and all its messages into the trash: nothing lists, finds, recalls or exports them
        /// any more, and `trash.restore` brings them back. `forget.run` leaves nothing.
        ConversationDelete = "conversation.delete": ConversationId => Deleted;
        /// Moves every conversation that a filter lets through into the trash, with its messages.
        ConversationDeleteMatching = "conversation.deleteMatching": DeleteMatching => Organised;

        /// The folders, in the order of their paths.
        FolderList = "folder.list": NameList => Page<Folder>;
        /// Makes a folder and those on the way to it; one that is there already stays as it is.
        FolderCreate = "folder.create": FolderPath => Folder;
        /// Renames a folder or moves it elsewhere, with everything in it.
        FolderMove = "folder.move": MoveFolder => Folder;
        /// Deletes a folder; what lies in it moves up, or into the trash.
        FolderDelete = "folder.delete": DeleteFolder => Organised;
        /// The tags that conversations have, in the order of the alphabet.
        TagList = "tag.list": NameList => Page<Tag>;
        /// Takes a tag from every conversation that has it.
        TagDelete = "tag.delete": TagName => Organised;
        /// A title for a conversation, by the language model where there is one. Nothing is changed.
        ConversationSuggestTitle = "conversation.suggestTitle": TitleSuggest => TitleSuggested;
        /// Tags for a conversation, by the language model where there is one. Nothing is changed.
        ConversationSuggestTags = "conversation.suggestTags": TagsSuggest => TagsSuggested;
        /// Lets the language model sum a branch up, going on from the summary before. The prompts of the branch
        /// hold the summary and the messages behind it from then on. It is made by itself where a conversation
        /// outgrows the model's context.
        ConversationSummarize = "conversation.summarize": Summarize => Summary;
        /// The summaries of a conversation, the newest first. One goes away when a message that it covers is
        /// changed or deleted.
        ConversationSummaries = "conversation.summaries": ConversationId => SummaryList;

        /// Appends messages in one transaction and answers them as stored. They are durable when the answer
        /// comes, and found by their words at once. Sending the same ids again changes nothing and answers the
        /// same.
        MessageAppend = "message.append": AppendMessages => MessageAppended;
        /// One message.
        MessageGet = "message.get": MessageId => Message;
        /// The messages of a conversation: all in the order of their arrival, the branch that is shown, or the answers
        /// to one of them.
        MessageList = "message.list": ListMessages => Page<Message>;
        /// Says a message anew, beside the old one, and shows the branch that begins with it.
        MessageEdit = "message.edit": EditMessage => Stored<Message>;
        /// Changes what is given in its place; new text is searched and embedded anew.
        MessageUpdate = "message.update": UpdateMessage => Stored<Message>;
        /// Moves one message into the trash; those that answered it move up to its parent.
        MessageDelete = "message.delete": MessageId => Deleted;

        /// Stores a standing fact for all tools. Sending the same `id` again changes nothing. Names the memories
        /// that say nearly the same, by their words and, with `onDuplicate` and a model, by their meaning.
        MemoryAdd = "memory.add": AddMemory => MemoryAdded;
        /// One memory.
        MemoryGet = "memory.get": MemoryId => Memory;
        /// Memories, the last changed first.
        MemoryList = "memory.list": ListMemories => Page<Memory>;
        /// Changes what is given; a member that is `null` is cleared, one that is absent stays.
        MemoryUpdate = "memory.update": UpdateMemory => Stored<Memory>;
        /// Moves one memory and its history into the trash.
        MemoryDelete = "memory.delete": MemoryId => Deleted;
        /// What a memory says now and what it said before, the newest first. The id of a former version answers
        /// the same.
        MemoryHistory = "memory.history": MemoryId => HistoryOfMemory;
        /// The paths at which memories are; `memory.list` with a `path` reads them.
        MemoryPaths = "memory.paths": ListPaths => MemoryPathList;
        /// Moves a path and everything below it.
        MemoryMove = "memory.move": MoveMemories => MemoriesMoved;
        /// Does a list of operations in one transaction: all of them, or else none. The answer says for each what
        /// became of it.
        MemoryApply = "memory.apply": ApplyOperations => MemoryApplied;
        /// Memories that the language model proposes, the oldest first (see `memory.extract` in the settings).
        MemoryProposals = "memory.proposals": ProposalList => Proposals;
        /// Stores what was proposed, as it is or changed. A retry answers the memory that it became.
        MemoryAccept = "memory.accept": ProposalAccept => Stored<Memory>;
        /// Turns a proposal down; its words are forgotten, and the same is not proposed again.
        MemoryReject = "memory.reject": ProposalReject => ProposalRejected;

        /// Finds passages of messages and memories by their words, by their meaning, or by both.
        SearchQuery = "search.query": SearchParams => SearchResult;

        /// Answers with what was said before: recalls, asks the model, stores question and answer with their
        /// sources, and answers once all of it is there.
        ChatComplete = "chat.complete": ChatParams => ChatResult;
        /// The exact prompt and its sources, without asking a model and without storing anything.
        ChatPreviewOf = "chat.preview": ChatParams => ChatPreview;
        /// Stops the answer to a question; its stream ends with `cancelled`, and what had come is kept.
        ChatCancelOf = "chat.cancel": ChatCancel => ChatCancelled;
        /// The language models that can answer.
        ModelList = "model.list": Empty => ModelListResult;

        /// How much was said, by day, model, tool and project.
        StatsUsage = "stats.usage": UsageParams => UsageStats;

        /// Embedding jobs that wait, run or were given up.
        JobList = "job.list": ListJobs => Page<Job>;
        /// Puts given-up jobs back into the queue.
        JobRetry = "job.retry": RetryJobs => JobRetried;
        /// How the vector index is.
        IndexStatus = "index.status": Empty => StatusOfIndex;
        /// Fills a new generation of the index from the stored messages, in the background, while the old one
        /// serves.
        IndexRebuild = "index.rebuild": RebuildParams => RebuildResult;

        /// Brings in records that `data.export` gave, a plain JSON history, or what another tool exported. The same data
        /// twice adds nothing.
        DataImport = "data.import": ImportParams => ImportResult;

        /// What was deleted, the last first. It stays for `store.trash_days`, then it is forgotten.
        TrashList = "trash.list": ListTrash => Page<Trashed>;
        /// Brings something back as it was: found by its words at once, by its meaning once it is embedded again.
        TrashRestore = "trash.restore": RestoreTrash => TrashRestored;
        /// Forgets for good: rows, words, vectors, codes, jobs, quotations and the write-ahead log. The receipt
        /// counts what was removed where, says what is still to go, and names the backups that hold copies.
        ForgetRun = "forget.run": ForgetParams => ForgetReceipt;
        /// A receipt as it is now; waits for the end if asked to.
        ForgetStatus = "forget.status": StatusOfForget => ForgetReceipt;

        /// Copies the database while it is in use, checks the copy, and deletes the oldest copies beyond
        /// `store.keep_backups`.
        BackupCreate = "backup.create": CreateBackup => Backup;
        /// The backups in the backup folder.
        BackupList = "backup.list": Empty => ListedBackups;
        /// Checks a backup and puts it in the place of everything that is stored, which is kept aside as a backup.
        BackupRestore = "backup.restore": RestoreBackup => BackupRestored;

        /// Captures the files of a folder from now on, while they change. Nothing is captured that was not added. Of a
        /// file that was deleted here the captured text stays deleted.
        WatchAdd = "watch.add": AddWatch => WatchedFolder;
        /// The folders whose files are captured, and how that goes.
        WatchList = "watch.list": Empty => ListOfWatches;
        /// Captures a folder no longer. What was captured stays, unless `forget` says otherwise.
        WatchRemove = "watch.remove": RemoveWatch => WatchRemoved;
    }
    streams {
        /// Like `chat.complete`, but the answer comes as it is written: `sources`, then `delta`s, then exactly
        /// one of `done`, `cancelled` and `error`. Unsubscribing, or going away, stops the model; what had come
        /// by then is kept and marked `cancelled`.
        ChatStream = "chat.stream", "chat.event", "chat.unsubscribe": ChatParams => ChatEvent;
        /// A conversation as one file to read or to give away: HTML or Markdown that needs nothing else. It comes in
        /// pieces of text; the last item is `done` or `error`.
        ConversationShare = "conversation.share", "conversation.shared", "conversation.unsubscribe": Share => ShareItem;
        /// Everything or a selection, in batches of lines; the last item is `done` or `error`. What lies in the
        /// trash is left out unless it is asked for.
        DataExport = "data.export", "data.exported", "data.unsubscribe": ExportParams => ExportItem;
        /// What clients change from now on. The last item, when the daemon stops or the subscriber is too slow,
        /// is `done`.
        EventSubscribe = "event.subscribe", "event.changed", "event.unsubscribe": EventParams => Event;
    }
}
