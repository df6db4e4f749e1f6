/* tree_attr: attributes, locks and ACLs set by the server. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "simulator/tree_model.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define UID_RANGE UINT64_C(3)
#define GID_RANGE UINT64_C(4)
#define MODE_BITS 07777u

/* ---- the host's part ---- */

static int with_path(struct tree *tree, const struct node *node, char path[40])
{
	int fd = node_open_path(tree, node);

	snprintf(path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

static int set_mode(struct tree *tree, struct node *node, unsigned mode)
{
	char path[40];
	int fd = with_path(tree, node, path), done;

	done = fd < 0 ? -1 : chmod(path, mode);
	if (fd >= 0)
		close(fd);
	return done;
}

/* 0, or -1: not ours to change. */
static int set_real_identity(struct tree *tree, struct node *node, bool is_group, unsigned id)
{
	int fd = node_open_path(tree, node), done;

	if (fd < 0)
		return -1;
	done = fchownat(fd, "", is_group ? (uid_t)-1 : id, is_group ? id : (gid_t)-1,
			AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
	close(fd);
	return done;
}

static struct timespec to_timespec(int64_t ns)
{
	int64_t rest = ns % NS_PER_S;

	return (struct timespec){ ns / NS_PER_S - (rest < 0), rest < 0 ? rest + NS_PER_S : rest };
}

/* NONE leaves one as it is. By name, for symbolic links have no other way. */
static int set_times(struct tree *tree, struct node *node, int64_t access_ns,
		     int64_t modification_ns)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct look look;
	int dir;

	if (access_ns != TREE_TIME_NONE)
		times[0] = to_timespec(access_ns);
	if (modification_ns != TREE_TIME_NONE)
		times[1] = to_timespec(modification_ns);
	if (!node->links)
		return futimens(tree->root_fd, times);
	if (look_at_node(tree, node, &look) < 0)
		return -1;
	if (!identity_is(node, &look)) {
		errno = ENOENT;
		return -1;
	}
	dir = dir_open(tree, node->links->parent);
	return dir < 0 ? -1 : utimensat(dir, link_name(node->links), times, AT_SYMLINK_NOFOLLOW);
}

int identity_set(struct tree *tree, struct node *node, bool is_group,
		 const struct tree_identity *identity)
{
	uint64_t range = identity->auth_id >> 32;
	unsigned id = (unsigned)identity->auth_id;
	bool is_plain = range == (is_group ? GID_RANGE : UID_RANGE) && id != UINT32_MAX;
	unsigned real = is_group ? node->look.gid : node->look.uid;
	struct kept_identity *kept;

	if (is_plain && (id == real || set_real_identity(tree, node, is_group, id) == 0)) {
		if (node->side) {
			past_keep(tree, node);
			kept_identity_clear(is_group ? &node->side->group : &node->side->owner);
		}
		return 0;
	}
	kept = is_group ? &side_of(tree, node)->group : &side_of(tree, node)->owner;
	kept_identity_clear(kept);
	*kept = (struct kept_identity){
		str_copy(identity->id_type ? identity->id_type : "INTERNAL"),
		str_copy(identity->id_value ? identity->id_value : ""), identity->auth_id, real
	};
	return 0;
}

/* ---- PATCH attributes ---- */

/* What of `change` is a change: the rest is taken out. */
static unsigned differences(struct tree *tree, const struct node *node,
			    const struct tree_change *change)
{
	struct tree_stat now;
	unsigned set = change->set;

	tree_stat(tree, node, &now);
	if (change->mode == now.mode)
		set &= ~TREE_SET_MODE;
	if (change->owner.auth_id == now.owner.auth_id)
		set &= ~TREE_SET_OWNER;
	if (change->group.auth_id == now.group.auth_id)
		set &= ~TREE_SET_GROUP;
	if (change->size == now.size)
		set &= ~TREE_SET_SIZE;
	if (change->creation_ns == now.creation_ns)
		set &= ~TREE_SET_CREATION;
	if (change->access_ns == now.access_ns)
		set &= ~TREE_SET_ACCESS;
	if (change->modification_ns == now.modification_ns)
		set &= ~TREE_SET_MODIFICATION;
	if (change->change_ns == now.change_ns)
		set &= ~TREE_SET_CHANGE;
	if (change->flags == now.flags)
		set &= ~TREE_SET_FLAGS;
	return set & change->set;
}

static enum tree_result check_change(const struct node *node, const struct tree_change *change,
				     unsigned set, struct error *err)
{
	if ((change->set & TREE_SET_MODE) && (change->mode & ~MODE_BITS))
		return change_refused(err, TREE_INVALID, "mode %o: at most %o", change->mode,
				      MODE_BITS);
	if ((set & TREE_SET_MODE) && S_ISLNK(node->look.mode))
		return change_refused(err, TREE_INVALID, "a symbolic link has no mode of its own");
	if ((change->set & TREE_SET_SIZE) && !node_is_file(node))
		return change_refused(err, TREE_NOT_FILE, "only a file has a size to set");
	if ((change->set & TREE_SET_SIZE) && change->size > INT64_MAX)
		return change_refused(err, TREE_INVALID, "a size of %" PRIu64, change->size);
	return check_unlocked(node, err);
}

static int host_change(struct tree *tree, struct node *node, const struct tree_change *change,
		       unsigned set)
{
	int fd, done = 0;

	/* First what may fail for reasons of room or right; times at last, for the others move
	 * them. */
	if (set & TREE_SET_SIZE) {
		fd = node_open_data(tree, node, O_WRONLY);
		done = fd < 0 ? -1 : ftruncate(fd, change->size);
		if (fd >= 0)
			close(fd);
	}
	/* chown may take bits of the mode away: so the mode comes after it. */
	if (done == 0 && (set & TREE_SET_OWNER))
		done = identity_set(tree, node, false, &change->owner);
	if (done == 0 && (set & TREE_SET_GROUP))
		done = identity_set(tree, node, true, &change->group);
	if (done == 0 && (set & TREE_SET_MODE))
		done = set_mode(tree, node, change->mode);
	if (done == 0 && (set & (TREE_SET_ACCESS | TREE_SET_MODIFICATION)))
		done = set_times(
			tree, node, set & TREE_SET_ACCESS ? change->access_ns : TREE_TIME_NONE,
			set & TREE_SET_MODIFICATION ? change->modification_ns : TREE_TIME_NONE);
	return done;
}

static void tell_change(struct tree *tree, struct node *node, unsigned set)
{
	static const struct {
		unsigned what;
		enum event_type type;
	} order[] = {
		{ TREE_SET_MODE, CHILD_ACL_CHANGED },
		{ TREE_SET_OWNER, CHILD_OWNER_CHANGED },
		{ TREE_SET_GROUP, CHILD_GROUP_CHANGED },
		{ TREE_SET_CREATION, CHILD_BTIME_CHANGED },
		{ TREE_SET_MODIFICATION, CHILD_MTIME_CHANGED },
		{ TREE_SET_ACCESS, CHILD_ATIME_CHANGED },
		{ TREE_SET_FLAGS, CHILD_EXTRA_ATTRS_CHANGED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (set & order[i].what)
			emit_node(tree, order[i].type, node, NULL);
	if (set & TREE_SET_SIZE)
		scan_resized(tree, node);
}

static bool take_over(struct tree *tree, struct node *node, const struct tree_change *change,
		      unsigned set)
{
	struct look look;

	if (look_at_node(tree, node, &look) < 0 || !identity_is(node, &look))
		return false;
	/* Somebody's chmod right behind ours is not ours: its own event must find a difference.
	 * (The host may have taken setuid and setgid away; that is no such event.) */
	if (set & TREE_SET_MODE)
		look.mode = (look.mode & ~01777u) | (change->mode & 01777u);
	node_take(tree, node, &look);
	side_compare(tree, node);
	return true;
}

/* Takes over what the host made of it, without events; false: it is gone. */
static bool retake(struct tree *tree, struct node *node)
{
	return take_over(tree, node, NULL, 0);
}

static void keep_change(struct tree *tree, struct node *node, const struct tree_change *change,
			unsigned set)
{
	struct side *side;

	if (!(set & (TREE_SET_FLAGS | TREE_SET_CREATION | TREE_SET_CHANGE | TREE_SET_OWNER |
		     TREE_SET_GROUP)))
		return;
	side_touch(tree, node);
	side = side_of(tree, node);
	if (set & TREE_SET_FLAGS)
		side->flags = change->flags;
	if (set & TREE_SET_CREATION)
		side->creation_ns = change->creation_ns;
	if (set & TREE_SET_CHANGE)
		side->change_ns = change->change_ns;
}

enum tree_result tree_set_attributes(struct tree *tree, struct node *node,
				     const struct tree_change *change, struct error *err)
{
	enum tree_result result;
	unsigned set;

	node = change_begin(tree, node);
	if (!node)
		return change_refused(err, TREE_NO_NODE, "the object is gone");
	set = differences(tree, node, change);
	result = check_change(node, change, set, err);
	if (result != TREE_OK || !set)
		return result;
	if (host_change(tree, node, change, set) < 0) {
		result = change_failed(err, "attributes");
		change_end(
			tree); /* what was done of it is found there, as if somebody had done it */
		return result;
	}
	if (take_over(tree, node, change, set)) {
		keep_change(tree, node, change, set);
		tell_change(tree, node, set);
		if (side_save(tree, node, err) < 0)
			result = TREE_FAILED;
	}
	change_end(tree);
	return result;
}

void tree_touch_access(struct tree *tree, struct node *node)
{
	node = change_begin(tree, node);
	if (node && set_times(tree, node, clock_now_ms() * NS_PER_MS, TREE_TIME_NONE) == 0 &&
	    retake(tree, node))
		emit_node(tree, CHILD_ATIME_CHANGED, node, NULL);
	change_end(tree);
}

/* ---- lock ---- */

bool tree_is_locked(const struct node *node)
{
	const struct side *side = node->side;

	return side && (side->legal_hold || (side->retention_ns != TREE_TIME_NONE &&
					     side->retention_ns > clock_now_ms() * NS_PER_MS));
}

enum tree_result tree_set_lock(struct tree *tree, struct node *node, int64_t retention_ns,
			       int legal_hold, struct error *err)
{
	struct side *side;

	node = change_begin(tree, node);
	if (!node)
		return change_refused(err, TREE_NO_NODE, "the object is gone");
	if (!node_is_file(node))
		return change_refused(err, TREE_NOT_FILE, "only a file can be locked");
	if (retention_ns != TREE_TIME_NONE && retention_ns <= clock_now_ms() * NS_PER_MS)
		return change_refused(err, TREE_INVALID, "the retention is in the past");
	if (retention_ns != TREE_TIME_NONE && node->side &&
	    node->side->retention_ns != TREE_TIME_NONE && retention_ns < node->side->retention_ns)
		return change_refused(err, TREE_INVALID, "a retention can only be extended");
	side = side_of(tree, node);
	if (retention_ns != TREE_TIME_NONE)
		side->retention_ns = retention_ns;
	if (legal_hold >= 0)
		side->legal_hold = legal_hold > 0;
	side_touch(tree, node);
	emit_metadata(tree, node);
	enum tree_result result = side_save(tree, node, err) < 0 ? TREE_FAILED : TREE_OK;
	change_end(tree);
	return result;
}

/* ---- ACL ---- */

const json_t *tree_acl(const struct node *node)
{
	return node->side ? node->side->acl : NULL;
}

enum tree_result tree_set_acl(struct tree *tree, struct node *node, const json_t *acl, int mode,
			      struct error *err)
{
	enum tree_result result;
	struct side *side;

	node = change_begin(tree, node);
	if (!node)
		return change_refused(err, TREE_NO_NODE, "the object is gone");
	result = check_unlocked(node, err);
	if (result != TREE_OK)
		return result;
	if (S_ISLNK(node->look.mode) || mode < 0)
		mode = node->look.mode & MODE_BITS;
	if (node->side && node->side->acl && json_equal(node->side->acl, acl) &&
	    mode == (node->look.mode & MODE_BITS))
		return TREE_OK;
	if (mode != (node->look.mode & MODE_BITS) && set_mode(tree, node, mode) < 0)
		return change_failed(err, "the mode that the ACL amounts to");
	retake(tree, node);
	side = side_of(tree, node);
	json_decref(side->acl);
	side->acl = json_deep_copy(acl);
	side->acl_mode = node->look.mode & MODE_BITS;
	side_touch(tree, node);
	emit_node(tree, CHILD_ACL_CHANGED, node, NULL);
	if (side_save(tree, node, err) < 0)
		result = TREE_FAILED;
	change_end(tree);
	return result;
}
